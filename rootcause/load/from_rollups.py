"""Reads a window from the roll-ups: two queries, however much traffic there was.

In: an open Reader and intervals on bucket boundaries. Out: a Window without steps, which roll-ups do not hold.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from collector.store.client import Reader
from rootcause.load.window import Bucket, Called, Interval, Quantiles, Served, Window

_LEVELS = "0.01, 0.5, 0.9, 0.95, 0.99"  # relative accuracy of the sketch, then the quantiles

_SERVED = f"""
SELECT Service, Version, Instance, Route, Entry,
    groupArray((At, N, Failed, TotalNs, OwnFailed, OwnNs, OwnN)) AS Buckets,
    quantilesDDMerge({_LEVELS})(Spread) AS Whole, quantilesDDMerge({_LEVELS})(OwnSpread) AS Own,
    sum(OwnN) AS OwnKnown, sumMap(Why) AS Reasons, argMax(Slow, SlowNs) AS SlowTrace, max(Broken) AS ErrorTrace
FROM
(
    SELECT toUnixTimestamp(Bucket) AS At, Service, Version, Instance, Route, Entry,
        sum(Calls) AS N, sum(Errors) AS Failed, sum(DurationSum) AS TotalNs,
        sum(OwnErrors) AS OwnFailed, sum(OwnSum) AS OwnNs, sum(OwnCalls) AS OwnN,
        quantilesDDMergeState({_LEVELS})(Durations) AS Spread,
        quantilesDDMergeState({_LEVELS})(OwnDurations) AS OwnSpread,
        sumMap(Reasons) AS Why, argMaxMerge(SlowTrace) AS Slow,
        quantilesDDMerge({_LEVELS})(Durations)[4] AS SlowNs, max(ErrorTrace) AS Broken
    FROM otel.mesh_routes WHERE {{where}}
    GROUP BY At, Service, Version, Instance, Route, Entry
)
GROUP BY Service, Version, Instance, Route, Entry
"""

_CALLED = f"""
SELECT Reporter, Source, Destination, SourceInstance, DestinationVersion, DestinationInstance,
    groupArray((At, N, Failed, TotalNs)) AS Buckets,
    quantilesDDMerge({_LEVELS})(Spread) AS Whole,
    sumMap(Why) AS Reasons, argMax(Slow, SlowNs) AS SlowTrace, max(Broken) AS ErrorTrace
FROM
(
    SELECT toUnixTimestamp(Bucket) AS At, Reporter, Source, Destination, SourceInstance, DestinationVersion,
        DestinationInstance, sum(Calls) AS N, sum(Errors) AS Failed, sum(DurationSum) AS TotalNs,
        quantilesDDMergeState({_LEVELS})(Durations) AS Spread,
        sumMap(Reasons) AS Why, argMaxMerge(SlowTrace) AS Slow,
        quantilesDDMerge({_LEVELS})(Durations)[4] AS SlowNs, max(ErrorTrace) AS Broken
    FROM otel.mesh_edges WHERE {{where}}
    GROUP BY At, Reporter, Source, Destination, SourceInstance, DestinationVersion, DestinationInstance
)
GROUP BY Reporter, Source, Destination, SourceInstance, DestinationVersion, DestinationInstance
"""


def load_rollups(reader: Reader, intervals: Sequence[Interval]) -> Window:
    """The window of these intervals. Raises StoreUnavailable, QueryFailed."""
    if not intervals:
        return Window(())
    where, params = _where(intervals)
    served = tuple(_served(row) for row in reader.rows(_SERVED.format(where=where), params))
    called = tuple(_called(row) for row in reader.rows(_CALLED.format(where=where), params))
    return Window(tuple(intervals), served, called)


def _where(intervals: Sequence[Interval]) -> tuple[str, dict[str, Any]]:
    parts, params = [], {}
    for index, interval in enumerate(intervals):
        parts.append(f"(Bucket >= %(start{index})s AND Bucket < %(end{index})s)")
        params[f"start{index}"] = datetime.fromtimestamp(interval.start, UTC)
        params[f"end{index}"] = datetime.fromtimestamp(interval.end, UTC)
    return " OR ".join(parts), params


def _served(row: Mapping[str, Any]) -> Served:
    buckets = (
        Bucket(float(at), calls, errors, total / 1e6, own_errors, own / 1e6, own_calls)
        for at, calls, errors, total, own_errors, own, own_calls in sorted(row["Buckets"])
    )
    return Served(
        row["Service"],
        row["Version"],
        row["Instance"],
        row["Route"],
        bool(row["Entry"]),
        tuple(buckets),
        _quantiles(row["Whole"]),
        _quantiles(row["Own"]) if row["OwnKnown"] else None,
        row["Reasons"],
        row["SlowTrace"],
        row["ErrorTrace"],
    )


def _called(row: Mapping[str, Any]) -> Called:
    buckets = (Bucket(float(at), calls, errors, total / 1e6) for at, calls, errors, total in sorted(row["Buckets"]))
    return Called(
        row["Reporter"] == "source",
        row["Source"],
        row["Destination"],
        row["SourceInstance"],
        row["DestinationVersion"],
        row["DestinationInstance"],
        tuple(buckets),
        _quantiles(row["Whole"]),
        row["Reasons"],
        row["SlowTrace"],
        row["ErrorTrace"],
        _lost(row["Reasons"]),
    )


_ANSWERED = {"fault_delay"}
"""Reasons of calls that the callee did answer."""


def _lost(reasons: Mapping[str, int]) -> int:
    """Calls with a reason of the way there; the callee's own proxy gave those that begin with `app_`."""
    return sum(calls for reason, calls in reasons.items() if not reason.startswith("app_") and reason not in _ANSWERED)


def _quantiles(levels: Sequence[float]) -> Quantiles:
    p50, p90, p95, p99 = (level / 1e6 for level in levels)
    return Quantiles(p50, p90, p95, p99)
