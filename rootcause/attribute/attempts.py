"""How often callers call for each request they have, and whether that fails: calls in a loop, tries again, and calls
that are not made any more because they would fail.

In: both windows. Out: for each link the calls that were to come and those that came. Never: a cause, for whoever is
behind a failing callee is for others to say.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from rootcause.attribute.counts import calls_by_bucket, calls_for_requests, requests_by_route, requests_by_service
from rootcause.attribute.drops import NOTABLE
from rootcause.attribute.links import Ends
from rootcause.attribute.own_errors import compare
from rootcause.attribute.own_time import samples_by_route, whole
from rootcause.detect.baseline import typical
from rootcause.detect.chance import log_binomial, log_fisher
from rootcause.detect.errors import UNLIKELY
from rootcause.detect.more import rises
from rootcause.load.window import Traffic, Window, calls, errors, once


@dataclass(frozen=True, slots=True)
class Attempts:
    """`expected` calls were to come for the `requests` of `source`, `made` came, and took `mean_ms` each; `many`:
    clearly several times as many. Those beyond took it `extra_ms`, no more than its requests became slower by.
    `failing`: more fail than usual; `again`: and more are made."""

    source: str
    destination: str
    requests: int
    expected: float
    made: int
    mean_ms: float
    many: bool
    extra_ms: float
    failing: bool
    again: bool

    @property
    def missing(self) -> float:
        """Calls that were not made."""
        return max(0.0, self.expected - self.made)


@dataclass(slots=True)
class _Sums:
    calls: int = 0
    failed: int = 0
    total_ms: float = 0.0


_NONE = _Sums()


def attempts(baseline: Window, observed: Window) -> dict[Ends, Attempts]:
    """Of every link that was used in normal time by somebody who has requests of its own."""
    before, now = baseline.traffic, observed.traffic
    made = calls_by_bucket(now)
    found = {}
    for ends, usual in calls_by_bucket(before).items():
        source = ends[0]
        requests_before, requests = requests_by_service(before)[source], requests_by_service(now)[source]
        if not requests_before or not requests or source == ends[1]:
            continue
        count_before, count = sum(usual.values()), sum(made.get(ends, {}).values())
        expected = count_before * requests / requests_before
        many = _many(ends, before, now)
        sums, sums_before = _waited(now).get(ends, _NONE), _waited(before)[ends]
        mean_ms = sums.total_ms / sums.calls if sums.calls else 0.0
        extra_ms = min((count - expected) * mean_ms, _slower(source, before, now)) if many else 0.0
        more = compare(sums.failed, sums.calls, sums_before.failed, sums_before.calls)
        failing = more is not None and more.log_chance <= UNLIKELY
        share = requests / (requests + requests_before)
        again = failing and log_binomial(count, count + count_before, share) <= UNLIKELY
        found[ends] = Attempts(*ends, requests, expected, count, mean_ms, many, extra_ms, failing, again)
    return found


def _many(ends: Ends, before: Traffic, now: Traffic) -> bool:
    """Whether clearly several times as many are made; what it is asked for is looked at where they are."""
    usual, seen = calls_for_requests(ends, before), calls_for_requests(ends, now)
    return rises(usual, seen) and rises(usual, seen, _of_its_routes(ends[0], before, now))


def _of_its_routes(service: str, baseline: Traffic, observed: Traffic) -> float:
    """How many times as many calls it may make because it is asked for other things: the most that the share of any of
    its routes grew by; without end for one that is new."""
    before, now = requests_by_route(service, baseline), requests_by_route(service, observed)
    of_before, of = before.total(), now.total()
    grown = [1.0]
    for route, many in now.items():
        usual = before[route] / of_before
        if many > usual * of and log_fisher(many, of, before[route], of_before) < NOTABLE:
            grown.append(many / of / usual if usual else float("inf"))
    return max(grown)


@once
def _waited(traffic: Traffic) -> Mapping[Ends, _Sums]:
    """Calls by link, as callers saw them, or their callees where they do not tell."""
    views: dict[tuple[Ends, bool], _Sums] = defaultdict(_Sums)
    for row in traffic.called:
        if row.source:
            into = views[(row.source, row.destination), row.by_source]
            into.calls += calls(row.buckets)
            into.failed += errors(row.buckets)
            into.total_ms += sum(bucket.total_ms for bucket in row.buckets)
    return {ends: sums for (ends, by_source), sums in views.items() if by_source or (ends, True) not in views}


def _slower(service: str, before: Traffic, now: Traffic) -> float:
    """By how much the requests of the service became slower, in ms of all of them together."""
    usual, added = _typical_ms(before), 0.0
    rows = [row for row in now.served if row.service == service]
    for route, samples in samples_by_route(rows, whole).items():
        if route in usual:
            added += sum(one.calls * (one.mean_ms - usual[route]) for one in samples.values())
    return max(0.0, added)


@once
def _typical_ms(traffic: Traffic) -> Mapping[tuple[str, str], float]:
    """What requests take by service and route."""
    routes = samples_by_route(traffic.served, whole)
    return {route: typical(list(samples.values())) for route, samples in routes.items()}
