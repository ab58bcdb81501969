"""Which tables go into an archive, how their rows are told apart, and how each column is written to Parquet.

Aggregate states have no type in Parquet: they go as the hexadecimal digits of what ClickHouse stores, and come back as
they were. Roll-ups are therefore restored, never derived again: they reach further back than the spans do.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol, Self

from collector.store.quoting import identifier, literal

_STATE: Final = "AggregateFunction("
_SIMPLE: Final = re.compile(r"SimpleAggregateFunction\(\w+, (?P<kind>.*)\)\Z")


class Rows(Protocol):
    """A connection that answers small questions."""

    def rows(self, sql: str) -> list[tuple[Any, ...]]: ...


@dataclass(frozen=True)
class Archived:
    """How a table is cut into days: by its column `time`; `merges`: rows with equal keys become one."""

    time: str
    merges: bool = False


TABLES: Final = {
    "otel_traces": Archived("Timestamp"),
    "otel_traces_trace_id_ts": Archived("Start"),
    "otel_logs": Archived("Timestamp"),
    "otel_metrics_gauge": Archived("TimeUnix"),
    "otel_metrics_sum": Archived("TimeUnix"),
    "otel_metrics_histogram": Archived("TimeUnix"),
    "otel_metrics_exponential_histogram": Archived("TimeUnix"),
    "otel_metrics_summary": Archived("TimeUnix"),
    "mesh_edges": Archived("Bucket", merges=True),
    "mesh_routes": Archived("Bucket", merges=True),
    "mesh_security": Archived("Bucket", merges=True),
    "mesh_unkept_calls": Archived("Bucket", merges=True),
    "mesh_changes": Archived("Time"),
    "mesh_incidents": Archived("OpenedAt", merges=True),
    "mesh_alerts": Archived("Time"),
    "mesh_silences": Archived("Time", merges=True),
    "mesh_alarms": Archived("OpenedAt", merges=True),
    "mesh_kept": Archived("Day"),
    "mesh_pins": Archived("Time", merges=True),
    "mesh_thinned": Archived("Day", merges=True),
}

# What a collector works with at this moment; of no use to another, or an hour later.
WORKING: Final = frozenset({"mesh_ends", "mesh_pairs", "mesh_paired", "mesh_migrations", "mesh_unkept"})


@dataclass(frozen=True)
class Column:
    """A column of a table and its ClickHouse type there."""

    name: str
    kind: str

    @property
    def plain(self) -> str:
        """Its type in the file."""
        if self.kind.startswith(_STATE):
            return "String"
        simple = _SIMPLE.match(self.kind)
        return simple["kind"] if simple else self.kind

    def saved(self) -> str:
        """The expression that makes it plain."""
        name = identifier(self.name)
        if self.kind.startswith(_STATE):
            return f"hex(CAST({name} AS String)) AS {name}"
        return name if self.plain == self.kind else f"CAST({name} AS {self.plain}) AS {name}"

    def restored(self) -> str:
        """The expression that makes of the plain value what the table holds."""
        name = identifier(self.name)
        return f"CAST(unhex({name}) AS {self.kind})" if self.kind.startswith(_STATE) else name


@dataclass(frozen=True)
class Shape:
    """A table as a store has it."""

    table: str
    engine: str
    keys: str
    columns: tuple[Column, ...]

    @classmethod
    def of(cls, store: Rows, table: str) -> Self | None:
        """None when the store has no such table."""
        where = f"WHERE database = 'otel' AND table = {literal(table)}"
        found = store.rows(f"SELECT engine, sorting_key FROM system.tables {where}")
        if not found:
            return None
        columns = store.rows(
            f"SELECT name, type FROM system.columns {where} AND default_kind IN ('', 'DEFAULT') ORDER BY position"
        )
        engine, keys = found[0]
        return cls(table, engine, keys, tuple(Column(name, kind) for name, kind in columns))

    @property
    def time(self) -> Column:
        """The column that the table is cut into days by."""
        return next(column for column in self.columns if column.name == TABLES[self.table].time)

    def between(self, begin: datetime, end: datetime) -> str:
        """The condition for rows from `begin` to before `end`."""
        name = identifier(self.time.name)
        if self.time.kind == "Date":  # a day belongs to every part of it
            last = end - timedelta(microseconds=1)
            return f"{name} >= toDate('{begin:%F}') AND {name} <= toDate('{last:%F}')"
        return f"{name} >= {_instant(begin)} AND {name} < {_instant(end)}"

    def needed(self) -> tuple[Column, ...]:
        """Without which a row is none: its time and what the table is sorted by."""
        words = set(re.findall(r"\w+", self.keys)) | {self.time.name}
        return tuple(column for column in self.columns if column.name in words)

    def only(self, names: Sequence[str]) -> tuple[Column, ...]:
        """Those of its columns that are named."""
        return tuple(column for column in self.columns if column.name in names)

    def identity(self, columns: Sequence[Column]) -> str:
        """What makes a row the same row: of a roll-up its key, of all others every value of `columns`."""
        if any("AggregateFunction(" in column.kind for column in self.columns):
            return f"tuple({self.keys})"
        # Of a tuple, a NULL counts; of arguments, it would make the whole hash NULL.
        return f"sipHash128(tuple({', '.join(identifier(column.name) for column in columns)}))"


def _instant(moment: datetime) -> str:
    return f"toDateTime64('{moment:%F %T.%f}', 6, 'UTC')"


def structure(columns: Sequence[Column]) -> str:
    """Names and plain types as CREATE TABLE and file() take them."""
    return ", ".join(f"{identifier(column.name)} {column.plain}" for column in columns)
