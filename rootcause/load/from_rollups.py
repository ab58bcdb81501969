"""Reads a window from the roll-ups: two queries, however much traffic there was.

In: an open Reader and intervals on bucket boundaries. Out: a Window without steps, which roll-ups do not hold.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from collector.store.client import Reader
from rootcause.load.window import Bucket, Called, Interval, Quantiles, Served, Window

_LEVELS = "0.01, 0.5, 0.9, 0.95, 0.99"  # relative accuracy of the sketch, then the quantiles

# One pass: sketches and sums meet once, however many buckets, routes and instances there are.
_SERVED = f"""
SELECT Service, Version, Instance, Route, Entry,
    sumMap([toUnixTimestamp(Bucket)], [Calls], [Errors], [DurationSum], [OwnErrors], [OwnSum], [OwnCalls]) AS Buckets,
    quantilesDDMerge({_LEVELS})(Durations) AS Whole, quantilesDDMerge({_LEVELS})(OwnDurations) AS Own,
    sum(OwnCalls) AS OwnKnown, sumMap(Reasons) AS Why, argMaxMerge(SlowTrace) AS Slow, max(ErrorTrace) AS Broken
FROM otel.mesh_routes WHERE {{where}}
GROUP BY Service, Version, Instance, Route, Entry
"""

_CALLED = f"""
SELECT Reporter, Source, Destination, SourceInstance, DestinationVersion, DestinationInstance,
    sumMap([toUnixTimestamp(Bucket)], [Calls], [Errors], [DurationSum]) AS Buckets,
    quantilesDDMerge({_LEVELS})(Durations) AS Whole,
    sumMap(Reasons) AS Why, argMaxMerge(SlowTrace) AS Slow, max(ErrorTrace) AS Broken
FROM otel.mesh_edges WHERE {{where}}
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
        for at, calls, errors, total, own_errors, own, own_calls in zip(*row["Buckets"], strict=True)
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
        row["Why"],
        row["Slow"],
        row["Broken"],
    )


def _called(row: Mapping[str, Any]) -> Called:
    buckets = (
        Bucket(float(at), calls, errors, total / 1e6) for at, calls, errors, total in zip(*row["Buckets"], strict=True)
    )
    return Called(
        row["Reporter"] == "source",
        row["Source"],
        row["Destination"],
        row["SourceInstance"],
        row["DestinationVersion"],
        row["DestinationInstance"],
        tuple(buckets),
        _quantiles(row["Whole"]),
        row["Why"],
        row["Slow"],
        row["Broken"],
        _lost(row["Why"]),
    )


_ANSWERED = {"fault_delay"}
"""Reasons of calls that the callee did answer."""


def _lost(reasons: Mapping[str, int]) -> int:
    """Calls with a reason of the way there; the callee's own proxy gave those that begin with `app_`."""
    return sum(calls for reason, calls in reasons.items() if not reason.startswith("app_") and reason not in _ANSWERED)


def _quantiles(levels: Sequence[float]) -> Quantiles:
    p50, p90, p95, p99 = (level / 1e6 for level in levels)
    return Quantiles(p50, p90, p95, p99)
