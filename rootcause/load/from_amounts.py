"""Reads how much instances used of what has no limit that anybody knows: memory, sockets, threads, disk, processor
time.

In: an open Reader and intervals. Out: amounts by instance and metric, for a Window. Of a sum that only grows, what was
added a second between two points is the amount; a point below the one before it is a restart, and tells nothing.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from collector.store.client import Reader
from collector.store.errors import QueryFailed
from rootcause.load.amounts import resource_of
from rootcause.load.first_told import INSTANCE
from rootcause.load.from_gauges import GAUGES
from rootcause.load.usage import Sample, used_up
from rootcause.load.window import Amount, Interval

log = logging.getLogger(__name__)

RECENT_S = 180.0
"""Collectors ask once a minute or more often; three points tell a level."""
_POINTS = f"""
SELECT ServiceName, {INSTANCE} AS Instance, MetricName, toUnixTimestamp64Milli(TimeUnix) / 1000 AS At,
    sum(Value) AS Amount, {{grows}} AS Grows
FROM otel.{{table}} WHERE MetricName IN %(names)s AND ({{where}})
GROUP BY ServiceName, Instance, MetricName, At, Grows ORDER BY ServiceName, Instance, MetricName, At
"""
_NAMES = "SELECT DISTINCT MetricName FROM otel.{table} WHERE ({where})"
_TABLES = {"otel_metrics_gauge": "false", "otel_metrics_sum": "IsMonotonic AND AggregationTemporality = 2"}

_Key = tuple[str, str, str]


def amounts_around(
    reader: Reader, normal: Sequence[Interval], now: float
) -> tuple[tuple[Amount, ...], tuple[Amount, ...]]:
    """Of normal time before the last RECENT_S, and of these; nothing when there is too much to be read in time.

    Raises StoreUnavailable.
    """
    recent = Interval(now - RECENT_S, now)
    before = [Interval(part.start, min(part.end, recent.start)) for part in normal if part.start < recent.start]
    try:
        return load_amounts(reader, before), load_amounts(reader, [recent])
    except QueryFailed as error:
        log.warning("what instances use up is not known: %s", error)
        return (), ()


def load_amounts(reader: Reader, intervals: Sequence[Interval]) -> tuple[Amount, ...]:
    """What was used in the intervals. Raises StoreUnavailable, QueryFailed."""
    if not intervals:
        return ()
    where, params = _where(intervals)
    samples = [sample for table in _TABLES for sample in _samples(reader, table, where, params)]
    return used_up(samples, intervals)


def _samples(reader: Reader, table: str, where: str, params: dict[str, Any]) -> Iterator[Sample]:
    named = reader.table(_NAMES.format(table=table, where=where), params).rows
    names = tuple(name for (name,) in named if resource_of(name) and name not in GAUGES)
    if not names:
        return
    query = _POINTS.format(table=table, grows=_TABLES[table], where=where)
    growing: dict[_Key, list[tuple[float, float]]] = defaultdict(list)
    for service, instance, metric, at, amount, grows in reader.table(query, {**params, "names": names}).rows:
        if grows:
            growing[service, instance, metric].append((at, amount))
        else:
            yield Sample(at, service, instance, metric, amount)
    for (service, instance, metric), points in growing.items():
        for (since, less), (at, more) in pairwise(points):
            if more >= less and at > since:
                yield Sample(at, service, instance, metric, (more - less) / (at - since))


def _where(intervals: Sequence[Interval]) -> tuple[str, dict[str, Any]]:
    parts, params = [], {}
    for index, interval in enumerate(intervals):
        parts.append(f"(TimeUnix >= %(start{index})s AND TimeUnix < %(end{index})s)")
        params[f"start{index}"] = datetime.fromtimestamp(interval.start, UTC)
        params[f"end{index}"] = datetime.fromtimestamp(interval.end, UTC)
    return " OR ".join(parts), params
