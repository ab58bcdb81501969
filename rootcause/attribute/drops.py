"""Who stopped calling whom: calls that no longer come though the caller is asked as usual.

In: both windows. Out: by caller and callee, how many calls are missing. Counted against the caller's own requests, so
that a night in which all ask less is none, and whoever is asked less makes no one below it look idle. Requests of
another kind than usual (a changed mix of routes) and spans that lost their parents are no drop.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from rootcause.attribute.links import Ends
from rootcause.detect.chance import log_fisher
from rootcause.detect.fewer import HALF, Counted, Fall, fall_of
from rootcause.load.window import Window, calls

NOTABLE = -4.6
"""Log of the probability, one in a hundred, below which a route's share has changed."""
_STILL = 0.05

Series = dict[float, int]


@dataclass(frozen=True, slots=True)
class Drop:
    """`fall` is in calls a request of `source`; rates are calls a second."""

    source: str
    destination: str
    fall: Fall
    baseline_rate: float
    observed_rate: float


def drops(baseline: Window, observed: Window) -> dict[Ends, Drop]:
    """Links that are hardly used any more."""
    asked_before, asked = requests_by_bucket(baseline), requests_by_bucket(observed)
    made_before, made = calls_by_bucket(baseline), calls_by_bucket(observed)
    recorded = {(row.source, row.destination) for row in baseline.called if row.by_source}
    usually, parentless = _parentless(baseline), _parentless(observed)
    found = {}
    for ends, usual in made_before.items():
        source, destination = ends
        fall = fall_of(_against(usual, asked_before[source]), _against(made.get(ends, {}), asked[source]))
        if fall is None or source == destination:
            continue
        # Without spans of the caller's own, a callee without any may just have lost its exporter.
        if ends not in recorded and sum(asked[destination].values()) <= _STILL * fall.expected:
            continue
        missing = fall.missing - fall.expected * _other_routes(source, baseline, observed)
        missing -= max(0.0, parentless[destination] - usually[destination] * observed.seconds / baseline.covered_s)
        if missing >= HALF * fall.expected:
            rates = sum(usual.values()) / baseline.covered_s, sum(made.get(ends, {}).values()) / observed.seconds
            found[ends] = Drop(source, destination, fall, *rates)
    return found


def _against(done: Series, chances: Series) -> dict[float, Counted]:
    return {start: Counted(many, done.get(start, 0)) for start, many in chances.items()}


def requests_by_bucket(window: Window) -> Mapping[str, Series]:
    """Requests by service and bucket."""
    found: dict[str, Series] = defaultdict(dict)
    for row in window.served:
        into = found[row.service]
        for bucket in row.buckets:
            into[bucket.start] = into.get(bucket.start, 0) + bucket.calls
    return found


def calls_by_bucket(window: Window) -> dict[Ends, Series]:
    """Calls by link and bucket, as the end that saw more of them."""
    views: dict[tuple[bool, Ends], Series] = defaultdict(dict)
    for row in window.called:
        if row.source:
            into = views[row.by_source, (row.source, row.destination)]
            for bucket in row.buckets:
                into[bucket.start] = into.get(bucket.start, 0) + bucket.calls
    found: dict[Ends, Series] = defaultdict(dict)
    for (_, ends), series in views.items():
        for start, many in series.items():
            found[ends][start] = max(many, found[ends].get(start, 0))
    return found


def _parentless(window: Window) -> Counter[str]:
    """Requests of which no caller is known, by service: some may be calls whose own span was lost."""
    known: Counter[str] = Counter()
    for row in window.called:
        if row.source and not row.by_source:
            known[row.destination] += calls(row.buckets)
    served: Counter[str] = Counter()
    for one in window.served:
        served[one.service] += calls(one.buckets)
    return served - known


def _other_routes(service: str, baseline: Window, observed: Window) -> float:
    """How much of what the service did on routes that are asked less often now is not asked for, 0..1 at the most."""
    before, now = requests_by_route(service, baseline), requests_by_route(service, observed)
    of_before, of = before.total(), now.total()
    lost = 0.0
    for route, many in before.items():
        expected = many / of_before * of
        if now[route] < expected and log_fisher(of - now[route], of, of_before - many, of_before) < NOTABLE:
            lost += 1 - now[route] / expected
    return min(1.0, lost)


def requests_by_route(service: str, window: Window) -> Counter[str]:
    """Of one service."""
    found: Counter[str] = Counter()
    for row in window.served:
        if row.service == service:
            found[row.route] += calls(row.buckets)
    return found
