"""Writes the configuration the embedded ClickHouse starts with: UTC, one user, what it may do and spend.

The user may read everything and write the database `otel`. It holds no grant on any file, network or
executable source, so no statement can reach outside the data directory by a table function; the
bounds hold because the engine refuses a SETTINGS clause that would pass them.
"""

from pathlib import Path
from xml.sax.saxutils import escape

from collector.store.bounds import Bounds

GRANTS = (
    "GRANT SELECT, SHOW ON *.*",
    "GRANT INSERT, CREATE DATABASE, CREATE TABLE, CREATE VIEW, ALTER, DROP, TRUNCATE, OPTIMIZE ON otel.*",
    "GRANT TABLE ENGINE ON *",
)

# ClickHouse's own defaults, fixed: behind them a statement runs out of stack instead of into an error.
_SHAPE = {
    "max_parser_depth": "1000",
    "max_ast_depth": "1000",
    "max_ast_elements": "50000",
    "max_expanded_ast_elements": "500000",
}

_TEMPLATE = """\
<clickhouse>
    <users_config>{path}</users_config>
    <logger><level>none</level></logger>
    <profiles>
        <default>
            <session_timezone>UTC</session_timezone>
            <allow_introspection_functions>0</allow_introspection_functions>
            <implicit_select>0</implicit_select>
            <constraints>
{constraints}
            </constraints>
        </default>
    </profiles>
    <users>
        <default>
            <no_password/>
            <networks><ip>::/0</ip></networks>
            <profile>default</profile>
            <quota>default</quota>
            <grants>
{grants}
            </grants>
        </default>
    </users>
    <quotas><default/></quotas>
</clickhouse>
"""


def engine_config(path: Path, bounds: Bounds) -> str:
    """The XML text of the configuration that is to be stored at `path`."""
    return _TEMPLATE.format(
        path=escape(str(path)),
        constraints="\n".join(_constraint(name, value) for name, value in (bounds.settings() | _SHAPE).items()),
        grants="\n".join(f"                <query>{grant}</query>" for grant in GRANTS),
    )


def _constraint(name: str, most: str) -> str:
    # ClickHouse reads 0 as "no bound", so the least value matters as much as the greatest.
    least = "0.001" if name == "max_execution_time" else "1"
    return f"                <{name}><min>{least}</min><max>{most}</max></{name}>"
