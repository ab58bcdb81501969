"""Counts good and bad requests of an objective in the roll-ups.

In: an open Reader, an objective, a stretch of time. Out: Counts by service; and the same query as text that runs as
printed, for whoever doubts an alarm.
"""

from __future__ import annotations

from datetime import UTC, datetime

from collector.store.client import Reader
from rootcause.promises.burn import Counts
from rootcause.promises.objective import EVERY_ENTRY, Objective

_TAIL = (0.995, 0.999, 0.9995, 0.9999)
_LEVELS = tuple(percent / 100 for percent in range(1, 100)) + _TAIL
_SPAN = 10
"""Seconds of a bucket of the roll-ups; the newest may not be whole yet."""
_LONG_S = 1_800
"""From here on whole minutes are counted, of which the roll-ups keep sums of their own."""


def count(reader: Reader, objective: Objective, now: float, seconds: int) -> dict[str, Counts]:
    """By service. Raises StoreUnavailable, QueryFailed."""
    end = now // _SPAN * _SPAN
    rows = reader.table(statement(objective, end - seconds, end)).rows
    return {service: Counts(calls, bad, end - first) for service, calls, bad, first in rows}


def statement(objective: Objective, start: float, end: float) -> str:
    """SELECT service, requests, bad ones, the first bucket (Unix seconds)."""
    bucket = "Bucket" if end - start < _LONG_S else "toStartOfMinute(Bucket)"
    where = [f"{bucket} >= {_time(start)}", f"{bucket} < {_time(end)}"]
    where.append("Entry = 1" if objective.service == EVERY_ENTRY else f"Service = {_text(objective.service)}")
    if objective.route:
        where.append(f"Route = {_text(objective.route)}")
    return (
        f"SELECT Service, sum(Calls) AS Requests, {_bad(objective)} AS Bad, toUnixTimestamp(min(Bucket)) AS First "
        f"FROM otel.mesh_routes WHERE {' AND '.join(where)} GROUP BY Service"
    )


def _bad(objective: Objective) -> str:
    """Slow ones are read off a sketch of the durations: to a percent, finer above 99."""
    if objective.latency is None:
        return "sum(Errors)"
    levels = ", ".join(f"{level:g}" for level in _LEVELS)
    within_ns = round(objective.latency.within_ms * 1e6)
    inside = f"arrayCount(q -> q <= {within_ns}, quantilesDDMerge(0.01, {levels})(Durations))"
    return f"toUInt64(sum(Calls) * (1 - [0., {levels}][{inside} + 1]))"


def _time(seconds: float) -> str:
    return f"toDateTime('{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}', 'UTC')"


def _text(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
