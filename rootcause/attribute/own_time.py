"""How much longer each service takes by itself: its own time, calls of its own not counted.

Each (service, route) is compared with its own normal, so that a changed mix of routes moves nobody.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from rootcause.detect.baseline import Normal, Sample, Shift, at_least, normal_of, shift_of
from rootcause.detect.exceeding import Measured, exceeding
from rootcause.load.window import Quantiles, Served, Traffic, Window, once

Figure = Callable[[Served], tuple[dict[float, tuple[int, float]], Quantiles | None]]
"""Of one row: calls and summed ms by bucket, and the quantiles of the same figure."""


def own(row: Served) -> tuple[dict[float, tuple[int, float]], Quantiles | None]:
    """Time not spent waiting for a call."""
    return {b.start: (b.own_calls, b.own_ms) for b in row.buckets if b.own_calls}, row.own


def whole(row: Served) -> tuple[dict[float, tuple[int, float]], Quantiles | None]:
    """Time from request to response."""
    return {b.start: (b.calls, b.total_ms) for b in row.buckets if b.calls}, row.durations


def own_time_shifts(baseline: Window, observed: Window) -> dict[str, Shift]:
    """Shift of own time by service, where both windows hold enough of it."""
    normal = _usual(baseline.traffic)
    strata = defaultdict(list)
    surely: dict[str, float] = defaultdict(float)
    before, now = _measured(baseline.traffic), _measured(observed.traffic)
    for (service, route), samples in samples_by_route(observed.served, own).items():
        usual = normal.get((service, route))
        if usual is not None:
            strata[service].append((usual, samples))
            surely[service] = max(surely[service], exceeding(before[service, route], now[service, route]))
    shifts = {service: shift_of(parts) for service, parts in strata.items()}
    found = {service: at_least(shift, surely[service]) for service, shift in shifts.items() if shift is not None}
    longer = _longer(baseline, observed)
    return {
        service: _no_more(shift, longer[service]) if service in longer else shift for service, shift in found.items()
    }


def _longer(baseline: Window, observed: Window) -> dict[str, float]:
    """How much longer all answers took, in ms, by services of which no calls were recorded, so that their own time is
    what the callees that are known leave of it: of calls side by side more than all, so that it grows as these become
    faster."""
    left = {row.source for row in baseline.called if not row.buckets}
    normal = _usual_answers(baseline.traffic)
    found: dict[str, float] = {}
    for (service, route), samples in samples_by_route(observed.served, whole).items():
        usual = normal.get((service, route))
        shift = shift_of([(usual, samples)]) if service in left and usual is not None else None
        if shift is not None:
            found[service] = found.get(service, 0.0) + shift.excess_ms
    return found


def _no_more(shift: Shift, longer_ms: float) -> Shift:
    """Nobody adds more to what is waited than it became longer."""
    if shift.excess_ms <= max(0.0, longer_ms):
        return shift
    kept = max(0.0, longer_ms) / shift.excess_ms
    added = kept * (shift.observed_ms - shift.baseline_ms)
    return Shift(shift.baseline_ms, shift.baseline_ms + added, shift.calls, kept * shift.excess_ms, kept * shift.z)


@once
def _usual(traffic: Traffic) -> Mapping[tuple[str, str], Normal]:
    """Own times that are normal."""
    return normals(traffic.served, own)


@once
def _usual_answers(traffic: Traffic) -> Mapping[tuple[str, str], Normal]:
    """Times from request to response that are normal."""
    return normals(traffic.served, whole)


@once
def _measured(traffic: Traffic) -> Mapping[tuple[str, str], Sequence[Measured]]:
    """Own times by service and route."""
    found: dict[tuple[str, str], list[Measured]] = defaultdict(list)
    for row in traffic.served:
        found[row.service, row.route].append((sum(bucket.own_calls for bucket in row.buckets), row.own))
    return found


def normals(rows: Iterable[Served], figure: Figure) -> dict[tuple[str, str], Normal]:
    """What is normal for each service and route."""
    rows = list(rows)
    spread: dict[tuple[str, str], float] = defaultdict(float)
    for row in rows:
        quantiles = figure(row)[1]
        if quantiles is not None:
            key = row.service, row.route
            spread[key] = max(spread[key], call_spread(quantiles))
    found = {
        key: normal_of(list(samples.values()), spread[key]) for key, samples in samples_by_route(rows, figure).items()
    }
    return {key: normal for key, normal in found.items() if normal is not None}


def samples_by_route(rows: Iterable[Served], figure: Figure) -> dict[tuple[str, str], dict[float, Sample]]:
    """Samples by bucket for each service and route, over versions and instances."""
    sums: dict[tuple[str, str], dict[float, tuple[int, float]]] = defaultdict(dict)
    for row in rows:
        into = sums[row.service, row.route]
        for start, (calls, total) in figure(row)[0].items():
            had = into.get(start, (0, 0.0))
            into[start] = (had[0] + calls, had[1] + total)
    return {
        key: {start: Sample(calls, total / calls) for start, (calls, total) in by_start.items()}
        for key, by_start in sums.items()
    }


def call_spread(quantiles: Quantiles) -> float:
    """Standard deviation that a normal variable with these upper quantiles would have; heavy tails make it larger."""
    return max(
        (quantiles.p90 - quantiles.p50) / 1.282,
        (quantiles.p95 - quantiles.p50) / 1.645,
        (quantiles.p99 - quantiles.p50) / 2.326,
    )
