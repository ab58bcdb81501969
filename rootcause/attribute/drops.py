"""Who stopped calling whom: calls that no longer come though the caller is asked as usual.

In: both windows. Out: by caller and callee, how many calls are missing. Counted against the caller's own requests, so
that a night in which all ask less is none, and whoever is asked less makes no one below it look idle. Requests of
another kind than usual (a changed mix of routes) and spans that lost their parents are no drop.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from rootcause.attribute.counts import calls_by_bucket, calls_for_requests, requests_by_route, requests_by_service
from rootcause.attribute.links import Ends
from rootcause.detect.chance import log_fisher
from rootcause.detect.fewer import HALF, Fall, fall_of
from rootcause.load.window import Traffic, Window, calls, once

NOTABLE = -4.6
"""Log of the probability, one in a hundred, below which a route's share has changed."""
_STILL = 0.05


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
    before, now = baseline.traffic, observed.traffic
    made_before, made = calls_by_bucket(before), calls_by_bucket(now)
    found = {}
    for ends, usual in made_before.items():
        source, destination = ends
        fall = fall_of(calls_for_requests(ends, before), calls_for_requests(ends, now))
        if fall is None or source == destination:
            continue
        # Without spans of the caller's own, a callee without any may just have lost its exporter.
        if ends not in _recorded(before) and requests_by_service(now)[destination] <= _STILL * fall.expected:
            continue
        missing = fall.missing - fall.expected * _other_routes(source, before, now)
        usually = _parentless(before)[destination] * observed.seconds / baseline.covered_s
        missing -= max(0.0, _parentless(now)[destination] - usually)
        if missing >= HALF * fall.expected:
            rates = sum(usual.values()) / baseline.covered_s, sum(made.get(ends, {}).values()) / observed.seconds
            found[ends] = Drop(source, destination, fall, *rates)
    return found


@once
def _recorded(traffic: Traffic) -> frozenset[Ends]:
    """Links of which callers tell."""
    return frozenset((row.source, row.destination) for row in traffic.called if row.by_source)


@once
def _parentless(traffic: Traffic) -> Counter[str]:
    """Requests of which no caller is known, by service: some may be calls whose own span was lost."""
    known: Counter[str] = Counter()
    for row in traffic.called:
        if row.source and not row.by_source:
            known[row.destination] += calls(row.buckets)
    return requests_by_service(traffic) - known


def _other_routes(service: str, baseline: Traffic, observed: Traffic) -> float:
    """How much of what the service did on routes that are asked less often now is not asked for, 0..1 at the most."""
    before, now = requests_by_route(service, baseline), requests_by_route(service, observed)
    of_before, of = before.total(), now.total()
    lost = 0.0
    for route, many in before.items():
        expected = many / of_before * of
        if now[route] < expected and log_fisher(of - now[route], of, of_before - many, of_before) < NOTABLE:
            lost += 1 - now[route] / expected
    return min(1.0, lost)
