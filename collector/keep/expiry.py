"""Decides which rows have been kept for long enough: by the days of each kind, and by the disk there is for all.

In: the parts of the tables, the day it is, what is to be kept. Out: what to drop, whole days first. Never: a day
dropped while an older one of the same kind is kept; roll-ups dropped while there is anything else to drop.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import groupby
from typing import Literal

Kind = Literal["spans", "metrics", "logs", "rollups"]
Cause = Literal["age", "disk"]

_METRICS = ("gauge", "sum", "histogram", "exponential_histogram", "summary")
KINDS: Mapping[str, Kind] = {
    "otel_traces": "spans",
    "otel_traces_trace_id_ts": "spans",
    "mesh_kept": "spans",
    "otel_logs": "logs",
    **{f"otel_metrics_{name}": "metrics" for name in _METRICS},
    "mesh_edges": "rollups",
    "mesh_routes": "rollups",
    "mesh_security": "rollups",
    "mesh_unkept_calls": "rollups",
}
"""Tables whose partitions are days. Changes, incidents and alerts are few, and kept."""


@dataclass(frozen=True)
class Part:
    """A piece of a table on disk; `order` rises with the time it was written."""

    table: str
    day: date
    name: str
    order: int
    size: int

    @property
    def partition(self) -> str:
        return self.day.strftime("%Y%m%d")


@dataclass(frozen=True)
class Terms:
    """Days by kind, today included, none for ever; `disk` in bytes for the tables of all kinds."""

    days: Mapping[Kind, int] = field(default_factory=dict)
    disk: int | None = None


@dataclass(frozen=True)
class Drop:
    """A day of a table, or one part of it."""

    table: str
    partition: str
    part: str
    size: int
    cause: Cause


def overdue(parts: Sequence[Part], today: date | None, terms: Terms) -> list[Drop]:
    """What has to go, nothing for its age when the day is not known.

    A day in the future counts as today's neighbour, and is dropped last.
    """
    known = [part for part in parts if part.table in KINDS]
    aged = [part for part in known if today is not None and _aged(part, today, terms)]
    drops = list(_days(aged, "age"))
    left = [part for part in known if part not in set(aged)]
    return drops + (_to_fit(left, terms.disk) if terms.disk is not None else [])


def _aged(part: Part, today: date, terms: Terms) -> bool:
    days = terms.days.get(KINDS[part.table])
    return days is not None and part.day <= today - timedelta(days=days)


def _to_fit(parts: list[Part], disk: int) -> list[Drop]:
    """Oldest days first, roll-ups after all else; of the last day of a table only its oldest parts, never its last."""
    excess = sum(part.size for part in parts) - disk
    drops: list[Drop] = []
    newest = {part.table: part.day for part in sorted(parts, key=lambda part: part.day)}
    rollups, raw = _split(parts)
    for some in (raw, rollups):
        for drop in _days((part for part in some if part.day < newest[part.table]), "disk"):
            if excess <= 0:
                return drops
            drops.append(drop)
            excess -= drop.size
        last = sorted((part for part in some if part.day == newest[part.table]), key=lambda part: part.order)
        youngest = {part.table: part.name for part in last}
        for part in last:
            if excess > 0 and part.name != youngest[part.table]:
                drops.append(Drop(part.table, part.partition, part.name, part.size, "disk"))
                excess -= part.size
    return drops


def _split(parts: Iterable[Part]) -> tuple[list[Part], list[Part]]:
    rollups: list[Part] = []
    raw: list[Part] = []
    for part in parts:
        (rollups if KINDS[part.table] == "rollups" else raw).append(part)
    return rollups, raw


def _days(parts: Iterable[Part], cause: Cause) -> Iterator[Drop]:
    """Whole days of tables, oldest first."""
    ordered = sorted(parts, key=lambda part: (part.day, part.table))
    for (_, table), some in groupby(ordered, key=lambda part: (part.day, part.table)):
        day = list(some)
        yield Drop(table, day[0].partition, "", sum(part.size for part in day), cause)
