"""Reads the same time of other days from the roll-ups' sums by the minute, which are kept for days.

In: an open Reader and the time in question. Out: one window a day that was seen, in buckets of a minute: entry points
by route, services and links as a whole. What was read holds for a minute.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from math import ceil, floor
from typing import Any

from collector.store.client import Reader
from collector.store.errors import QueryFailed
from rootcause.load.window import Bucket, Called, Interval, Served, Window

log = logging.getLogger(__name__)

DAYS = 7
DAY_S = 86_400.0
AROUND_S = 300.0
"""So much earlier and later than today, for no day begins to the second like another."""
_MINUTE_S = 60.0

_SUMS = "sum(Calls) AS Many, sum(Errors) AS Failed, sum(DurationSum) AS Took"
# A table's sums by the minute are used when nothing else is asked for (mesh_routes.sql, mesh_edges.sql).
_SERVICES = f"""
SELECT toUnixTimestamp(toStartOfMinute(Bucket)) AS At, Service, '' AS Route, Entry,
    {_SUMS}, sum(OwnSum) AS OwnTook, sum(OwnCalls) AS OwnMany
FROM otel.mesh_routes WHERE Entry = 0 AND ({{where}}) GROUP BY toStartOfMinute(Bucket), Service, Entry
"""
_ENTRIES = f"""
SELECT toUnixTimestamp(toStartOfMinute(Bucket)) AS At, Service, Route, Entry,
    {_SUMS}, sum(OwnSum) AS OwnTook, sum(OwnCalls) AS OwnMany
FROM otel.mesh_routes WHERE Entry = 1 AND ({{where}}) GROUP BY toStartOfMinute(Bucket), Service, Route, Entry
"""
_LINKS = f"""
SELECT toUnixTimestamp(toStartOfMinute(Bucket)) AS At, Reporter, Source, Destination, {_SUMS}
FROM otel.mesh_edges WHERE {{where}} GROUP BY toStartOfMinute(Bucket), Source, Destination, Reporter
"""


class History:
    """What was read last, for as long as it holds."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._minute = -1.0
        self._days: tuple[Window, ...] = ()

    def days(self, question: Interval) -> tuple[Window, ...]:
        """Nothing when there is too much to be read in time. Raises StoreUnavailable."""
        minute = floor(question.end / _MINUTE_S)
        if minute != self._minute:
            try:
                self._days = tuple(load_days(self._reader, question))
            except QueryFailed as error:
                log.warning("other days are not known: %s", error)
                self._days = ()
            self._minute = minute
        return self._days


def load_days(reader: Reader, question: Interval) -> Iterator[Window]:
    """One window for each of the last DAYS days with requests at this time. Raises StoreUnavailable, QueryFailed."""
    intervals = [_earlier(question, day) for day in range(1, DAYS + 1)]
    where, params = _where(intervals)
    served: dict[tuple[str, str, bool], list[Bucket]] = defaultdict(list)
    for query in (_SERVICES, _ENTRIES):
        for row in reader.rows(query.format(where=where), params):
            served[row["Service"], row["Route"], bool(row["Entry"])].append(_bucket(row))
    called: dict[tuple[bool, str, str], list[Bucket]] = defaultdict(list)
    for row in reader.rows(_LINKS.format(where=where), params):
        called[row["Reporter"] == "source", row["Source"], row["Destination"]].append(_bucket(row))
    for interval in intervals:
        day = Window(
            (interval,),
            tuple(
                Served(service, "", "", route, entry, within)
                for (service, route, entry), buckets in served.items()
                if (within := _within(buckets, interval))
            ),
            tuple(
                Called(by_source, source, destination, "", "", "", within)
                for (by_source, source, destination), buckets in called.items()
                if (within := _within(buckets, interval))
            ),
        )
        if day.entry_calls:
            yield day


def _earlier(question: Interval, days: int) -> Interval:
    """The same time so many days ago, with what lies around it, in whole minutes."""
    start = floor((question.start - AROUND_S) / _MINUTE_S) * _MINUTE_S
    end = ceil((question.end + AROUND_S) / _MINUTE_S) * _MINUTE_S
    return Interval(start - days * DAY_S, end - days * DAY_S)


def _where(intervals: list[Interval]) -> tuple[str, dict[str, Any]]:
    parts, params = [], {}
    for index, interval in enumerate(intervals):
        parts.append(f"(toStartOfMinute(Bucket) >= %(start{index})s AND toStartOfMinute(Bucket) < %(end{index})s)")
        params[f"start{index}"] = datetime.fromtimestamp(interval.start, UTC)
        params[f"end{index}"] = datetime.fromtimestamp(interval.end, UTC)
    return " OR ".join(parts), params


def _bucket(row: dict[str, Any]) -> Bucket:
    return Bucket(
        float(row["At"]),
        row["Many"],
        row["Failed"],
        row["Took"] / 1e6,
        own_ms=row.get("OwnTook", 0) / 1e6,
        own_calls=row.get("OwnMany", 0),
    )


def _within(buckets: list[Bucket], interval: Interval) -> tuple[Bucket, ...]:
    return tuple(sorted((one for one in buckets if one.start in interval), key=lambda bucket: bucket.start))
