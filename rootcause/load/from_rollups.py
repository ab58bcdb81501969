"""Reads a window from the roll-ups, added up by ClickHouse to a row for each service or edge: what an evaluation costs
grows with the mesh, and hardly with its traffic.

In: an open Reader and intervals on bucket boundaries. Out: a Window without steps, which roll-ups do not hold. Edges
are told apart by their ends only; instances of services in the time in question only, where they served side by side.
Never: a sketch that nobody looks at. Merging sketches costs far more than all sums.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from collector.store.client import Reader
from rootcause.load.window import Bucket, Called, Interval, Quantiles, Served, Window

_DD: Final = "(0.01, 0.5, 0.9, 0.95, 0.99)"  # relative accuracy of the sketch, then the quantiles
_AT: Final = "toFloat64(toUnixTimestamp(Bucket)) AS At"

# Each inner query adds up rows by bucket, each outer one makes a row of the buckets. How long whole requests take is
# asked of entry points only.
_SERVED: Final = f"""
SELECT Service, Version_, Instance_, Route, Entry,
    arraySort(groupArray((At, Calls_, Errors_, Ms, OwnErrors_, OwnMs, OwnCalls_))) AS Buckets,
    quantilesDDMerge{_DD}(Took) AS Whole, quantilesDDMerge{_DD}(Own) AS Own_, sum(OwnCalls_) AS OwnKnown,
    sumMap(Why) AS Reasons_, argMaxMerge(Slow) AS Slowest, max(Broken) AS Failing,
    sum(Children_) AS Made
FROM
(
    SELECT Service, {{version}} AS Version_, {{instance}} AS Instance_, Route, Entry, {_AT},
        sum(Calls) AS Calls_, sum(Errors) AS Errors_, sum(DurationSum) / 1e6 AS Ms,
        sum(OwnErrors) AS OwnErrors_, sum(OwnSum) / 1e6 AS OwnMs, sum(OwnCalls) AS OwnCalls_,
        quantilesDDMergeStateIf{_DD}(Durations, Entry = 1) AS Took, quantilesDDMergeState{_DD}(OwnDurations) AS Own,
        sumMapIf(Reasons, notEmpty(Reasons)) AS Why, argMaxMergeState(SlowTrace) AS Slow, max(ErrorTrace) AS Broken,
        sum(Children) AS Children_
    FROM otel.mesh_routes WHERE {{where}}
    GROUP BY Service, Version_, Instance_, Route, Entry, At
)
GROUP BY Service, Version_, Instance_, Route, Entry
"""
_CALLED: Final = f"""
SELECT Reporter, Source, Destination, arraySort(groupArray((At, Calls_, Errors_, Ms))) AS Buckets,
    sumMap(Why) AS Reasons_, {{slowest}} AS Slowest, {{failing}} AS Failing
FROM
(
    SELECT Reporter, Source, Destination, {_AT},
        sum(Calls) AS Calls_, sum(Errors) AS Errors_, sum(DurationSum) / 1e6 AS Ms,
        sumMapIf(Reasons, notEmpty(Reasons)) AS Why{{examples}}
    FROM otel.mesh_edges WHERE {{where}}
    GROUP BY Reporter, Source, Destination, At
)
GROUP BY Reporter, Source, Destination
"""
_WITH_EXAMPLES: Final = {
    "examples": ", argMaxMergeState(SlowTrace) AS Slow, max(ErrorTrace) AS Broken",
    "slowest": "argMaxMerge(Slow)",
    "failing": "max(Broken)",
}
_NO_EXAMPLES: Final = {"examples": "", "slowest": "''", "failing": "''"}
# How callers' waiting spreads from call to call matters where no proxy of the callee tells how long it worked.
_SPREADS: Final = f"""
SELECT Source, Destination, quantilesDDMerge{_DD}(Durations) AS Whole
FROM otel.mesh_edges WHERE Reporter = 'source' AND DestinationInstance = '' AND ({{where}})
GROUP BY Source, Destination
"""

Spreads = Mapping[tuple[str, str], Quantiles]
"""Of calls whose callee's instance is not known, by source and destination."""


def load_question(reader: Reader, intervals: Sequence[Interval]) -> Window:
    """The window of a short time in question. Raises StoreUnavailable, QueryFailed."""
    where, params = _where(intervals)
    served = _SERVED.format(where=where, version="Version", instance="Instance")
    called = _CALLED.format(where=where, **_WITH_EXAMPLES)
    return _window(reader, intervals, served, called, params, {})


def load_normal(reader: Reader, intervals: Sequence[Interval]) -> Window:
    """The window of normal time, which may be long: instances are added up, and edges have no traces to look at.

    Raises StoreUnavailable, QueryFailed.
    """
    if not intervals:
        return Window(())
    where, params = _where(intervals)
    served = _SERVED.format(where=where, version="''", instance="''")
    called = _CALLED.format(where=where, **_NO_EXAMPLES)
    told = reader.table(_SPREADS.format(where=where), params).rows
    spreads = {(source, destination): _quantiles(levels) for source, destination, levels in told}
    return _window(reader, intervals, served, called, params, spreads)


def _window(
    reader: Reader, intervals: Sequence[Interval], served: str, called: str, params: dict[str, Any], spreads: Spreads
) -> Window:
    return Window(
        tuple(intervals),
        tuple(_served(row) for row in reader.table(served, params).rows),
        tuple(_called(row, spreads) for row in reader.table(called, params).rows),
    )


def _where(intervals: Sequence[Interval]) -> tuple[str, dict[str, Any]]:
    parts, params = [], {}
    for index, interval in enumerate(intervals):
        parts.append(f"(Bucket >= %(start{index})s AND Bucket < %(end{index})s)")
        params[f"start{index}"] = datetime.fromtimestamp(interval.start, UTC)
        params[f"end{index}"] = datetime.fromtimestamp(interval.end, UTC)
    return " OR ".join(parts), params


def _served(row: Sequence[Any]) -> Served:
    service, version, instance, route, entry, buckets, whole, own, own_known, reasons, slowest, failing, made = row
    return Served(
        service,
        version,
        instance,
        route,
        bool(entry),
        tuple(Bucket(*sums) for sums in buckets),
        _quantiles(whole) if entry else None,
        _quantiles(own) if own_known else None,
        reasons,
        slowest,
        failing,
        made,
    )


def _called(row: Sequence[Any], spreads: Spreads) -> Called:
    reporter, source, destination, buckets, reasons, slowest, failing = row
    by_source = reporter == "source"
    return Called(
        by_source,
        source,
        destination,
        "",
        "",
        "",
        tuple(Bucket(*sums) for sums in buckets),
        spreads.get((source, destination)) if by_source else None,
        reasons,
        slowest,
        failing,
        _lost(reasons),
    )


_ANSWERED: Final = {"fault_delay"}
"""Reasons of calls that the callee did answer."""


def _lost(reasons: Mapping[str, int]) -> int:
    """Calls with a reason of the way there; the callee's own proxy gave those that begin with `app_`."""
    return sum(calls for reason, calls in reasons.items() if not reason.startswith("app_") and reason not in _ANSWERED)


def _quantiles(levels: Sequence[float]) -> Quantiles:
    p50, p90, p95, p99 = (level / 1e6 for level in levels)
    return Quantiles(p50, p90, p95, p99)
