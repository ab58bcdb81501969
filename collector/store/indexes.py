"""Says which skip indexes spans and logs have: bloom filters, or text indexes, which know the rows of each value.

In: the statement that makes a table; the indexes that a table has. Out: that statement with the other kind; the
statements that bring the table there. Never: an index touched that is neither.

Source: the OpenTelemetry ClickHouse exporter 0.161, whose logs have text indexes where ClickHouse is 26.2 or newer.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Indexes = Literal["bloom", "text"]

_TABLE: Final = re.compile(r"^CREATE TABLE IF NOT EXISTS otel\.(\w+)$", re.MULTILINE)
_INDEX: Final = re.compile(
    r"INDEX (?P<name>\w+) (?P<of>.+) TYPE (?P<type>\w+)\((?P<how>.*)\)(?: GRANULARITY \d+)?(?=,?$)", re.MULTILINE
)
_WORDS: Final = "tokenbf_v1"
_FILTERS: Final = frozenset({"bloom_filter", _WORDS})
TABLES: Final = ("otel_traces", "otel_logs")


@dataclass(frozen=True)
class _Index:
    """`text` is what stands behind INDEX, or ADD INDEX."""

    name: str
    type: str
    text: str


def indexed(sql: str, kind: Indexes | None) -> str:
    """The statement that makes a table, with indexes of this kind where it is one of `TABLES`."""
    table = _TABLE.search(sql)
    if kind != "text" or table is None or table[1] not in TABLES:
        return sql
    return _INDEX.sub(_as_text, sql)


def changes(table: str, sql: str, kind: Indexes, present: Mapping[str, str]) -> list[str]:
    """Statements after which `table`, made by `sql` and with the indexes `present` (type by name), has this kind.

    What is dropped is gone before its name is used again: the files of an index are found by its name.
    """
    wanted = _indexes(indexed(sql, kind))
    ours = _indexes(sql) | _indexes(indexed(sql, "text"))
    gone = [name for name in present if name in ours and (name not in wanted or wanted[name].type != present[name])]
    new = [index.text for name, index in wanted.items() if name not in present or name in gone]
    statements = []
    if gone:
        dropped = ", ".join(f"DROP INDEX {name}" for name in gone)
        statements.append(f"ALTER TABLE otel.{table} {dropped} SETTINGS alter_sync = 2, mutations_sync = 2")
    if new:
        statements.append(f"ALTER TABLE otel.{table} " + ", ".join(f"ADD INDEX {text}" for text in new))
    return statements


def _as_text(found: re.Match[str]) -> str:
    if found["type"] not in _FILTERS:
        return found[0]
    if found["type"] == _WORDS:
        name = found["name"].replace("idx_", "idx_lower_")
        return f"INDEX {name} lower({found['of']}) TYPE text(tokenizer = 'splitByNonAlpha')"
    return f"INDEX {found['name']} {found['of']} TYPE text(tokenizer = 'array')"


def _indexes(sql: str) -> dict[str, _Index]:
    found = (_Index(one["name"], one["type"], one[0].removeprefix("INDEX ")) for one in _INDEX.finditer(sql))
    return {index.name: index for index in found if index.type in _FILTERS | {"text"}}
