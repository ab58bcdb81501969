"""Brings the tables of a store to the state that sql/ describes, and remembers which text made them.

In: a session that may create tables. Out: every object of `OBJECTS`, recorded in `otel.mesh_migrations`.
Never: a silent difference between the tables of a store and the files of this version.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final, Self

from collector.store import indexes
from collector.store.errors import SchemaRefused
from collector.store.layout import Layout

# In the order of their dependencies. A released file is never edited: what changes a table afterwards is a
# file of its own (sql/<object>_<what>.sql with the ALTER), named here below the object.
OBJECTS: Final = (
    "otel_traces",
    "otel_traces_trace_id_ts",
    "otel_traces_trace_id_ts_mv",
    "mesh_edges",
    "mesh_edges_mv",
    "mesh_routes",
    "mesh_routes_mv",
    "mesh_changes",
    "mesh_changes_mv",
    "mesh_incidents",
    "mesh_alerts",
    "mesh_silences",
    "mesh_alarms",
    "mesh_alarms_said",
    "otel_logs",
    "otel_metrics_gauge",
    "otel_metrics_sum",
    "otel_metrics_histogram",
    "otel_metrics_exponential_histogram",
    "otel_metrics_summary",
    "mesh_captured",
    "mesh_kept",
    "mesh_pins",
    "mesh_thinned",
    "mesh_ends",
    "mesh_ends_mv",
    "mesh_pairs",
    "mesh_paired",
    "mesh_security",
    "mesh_security_mv",
    "mesh_unkept",
    "mesh_unkept_edges_mv",
    "mesh_unkept_routes_mv",
    "mesh_unkept_security_mv",
    "mesh_unkept_ends_mv",
    "mesh_unkept_calls",
    "mesh_unkept_calls_mv",
)

ONE_NODE: Final = Layout()
_LEDGER: Final = """\
CREATE TABLE IF NOT EXISTS otel.mesh_migrations
(
    Name String,
    Checksum FixedString(64),
    AppliedAt DateTime64(3) DEFAULT now64(3)
)
ENGINE = MergeTree
ORDER BY Name"""


@dataclass(frozen=True)
class Migration:
    """One SQL file: `checksum` is the SHA-256 of its text."""

    name: str
    sql: str
    checksum: str

    @classmethod
    def read(cls, name: str) -> Self:
        """Reads sql/<name>.sql of this package."""
        sql = (files("collector.store") / "sql" / f"{name}.sql").read_text()
        return cls(name, sql, hashlib.sha256(sql.encode()).hexdigest())


def apply(
    execute: Callable[[str], None],
    rows: Callable[[str], list[tuple[Any, ...]]],
    migrations: tuple[Migration, ...] | None = None,
    layout: Layout = ONE_NODE,
) -> list[str]:
    """Creates what is missing, laid out so, and returns the names it applied; safe to run twice.

    `execute` runs a statement, `rows` returns pairs of strings. Raises SchemaRefused before it changes
    anything when a file that was applied has another text now.
    """
    wanted = migrations if migrations is not None else tuple(Migration.read(name) for name in OBJECTS)
    for statement in (layout.database(), *layout.statements(_LEDGER)):
        execute(statement)
    applied = dict(rows("SELECT Name, toString(Checksum) FROM otel.mesh_migrations"))
    for migration in wanted:
        _refuse_changed(migration, applied)
    missing = [migration for migration in wanted if migration.name not in applied]
    for migration in missing:
        for statement in layout.statements(migration.sql):
            execute(statement)
        execute(_noted(migration))
    _reindex(execute, rows, layout)
    return [migration.name for migration in missing]


def script(layout: Layout) -> list[str]:
    """Every statement that `apply` runs on a store without tables, in order, for those who run them by hand."""
    statements = [layout.database(), *layout.statements(_LEDGER)]
    for migration in (Migration.read(name) for name in OBJECTS):
        statements += layout.statements(migration.sql)
        statements.append(_noted(migration))
    return statements


def _reindex(execute: Callable[[str], None], rows: Callable[[str], list[tuple[Any, ...]]], layout: Layout) -> None:
    """Gives tables that are there the kind of indexes that the layout asks for, if any."""
    if layout.indexes is None:
        return
    for table in indexes.TABLES:
        present = rows(
            "SELECT name, type FROM system.data_skipping_indices "
            f"WHERE database = 'otel' AND table = '{layout.local(table)}'"
        )
        for change in indexes.changes(table, Migration.read(table).sql, layout.indexes, dict(present)):
            for statement in layout.statements(change):
                execute(statement)


def _noted(migration: Migration) -> str:
    return f"INSERT INTO otel.mesh_migrations (Name, Checksum) SELECT '{migration.name}', '{migration.checksum}'"


def _refuse_changed(migration: Migration, applied: dict[str, str]) -> None:
    before = applied.get(migration.name)
    if before is not None and before != migration.checksum:
        raise SchemaRefused(
            f"sql/{migration.name}.sql was changed after this store was made with it "
            f"(checksum {before[:12]} then, {migration.checksum[:12]} now); put the file back and write the change "
            f"as a migration of its own, or start with an empty data directory"
        )
