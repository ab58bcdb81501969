"""How often callers call for each request they have, and whether that fails: calls in a loop, tries again, and calls
that are not made any more because they would fail.

In: both windows. Out: for each link the calls that were to come and those that came. Never: a cause, for whoever is
behind a failing callee is for others to say.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from rootcause.attribute.drops import NOTABLE, calls_by_bucket, requests_by_bucket, requests_by_route
from rootcause.attribute.links import Ends
from rootcause.attribute.own_errors import compare
from rootcause.attribute.own_time import samples_by_route, whole
from rootcause.detect.baseline import typical
from rootcause.detect.chance import log_binomial, log_fisher
from rootcause.detect.errors import UNLIKELY
from rootcause.detect.fewer import Counted
from rootcause.detect.more import rises
from rootcause.load.window import Window, calls, errors


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


def attempts(baseline: Window, observed: Window) -> dict[Ends, Attempts]:
    """Of every link that was used in normal time by somebody who has requests of its own."""
    asked_before, asked = requests_by_bucket(baseline), requests_by_bucket(observed)
    made_before, made = calls_by_bucket(baseline), calls_by_bucket(observed)
    took_before, took = _waited(baseline), _waited(observed)
    slower = _slower(baseline, observed)
    found = {}
    for ends, usual in made_before.items():
        source, now = ends[0], made.get(ends, {})
        before, chances = asked_before.get(source, {}), asked.get(source, {})
        if not sum(before.values()) or not sum(chances.values()) or source == ends[1]:
            continue
        requests, count = sum(chances.values()), sum(now.values())
        expected = sum(usual.values()) * requests / sum(before.values())
        done_before = {start: Counted(of, usual.get(start, 0)) for start, of in before.items()}
        done = {start: Counted(of, now.get(start, 0)) for start, of in chances.items()}
        many = rises(done_before, done, _of_its_routes(source, baseline, observed))
        sums, sums_before = took[ends], took_before[ends]
        mean_ms = sums.total_ms / sums.calls if sums.calls else 0.0
        extra_ms = min((count - expected) * mean_ms, slower.get(source, 0.0)) if many else 0.0
        more = compare(sums.failed, sums.calls, sums_before.failed, sums_before.calls)
        failing = more is not None and more.log_chance <= UNLIKELY
        share = requests / (requests + sum(before.values()))
        again = failing and log_binomial(count, count + sum(usual.values()), share) <= UNLIKELY
        found[ends] = Attempts(*ends, requests, expected, count, mean_ms, many, extra_ms, failing, again)
    return found


def _of_its_routes(service: str, baseline: Window, observed: Window) -> float:
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


def _waited(window: Window) -> dict[Ends, _Sums]:
    """Calls by link, as callers saw them, or their callees where they do not tell."""
    views: dict[tuple[Ends, bool], _Sums] = defaultdict(_Sums)
    for row in window.called:
        if row.source:
            into = views[(row.source, row.destination), row.by_source]
            into.calls += calls(row.buckets)
            into.failed += errors(row.buckets)
            into.total_ms += sum(bucket.total_ms for bucket in row.buckets)
    found: dict[Ends, _Sums] = defaultdict(_Sums)
    for (ends, by_source), sums in views.items():
        if by_source or (ends, True) not in views:
            found[ends] = sums
    return found


def _slower(baseline: Window, observed: Window) -> dict[str, float]:
    """By how much the requests of each service became slower, in ms of all of them together."""
    usual = {key: typical(list(samples.values())) for key, samples in samples_by_route(baseline.served, whole).items()}
    found: dict[str, float] = defaultdict(float)
    for (service, route), samples in samples_by_route(observed.served, whole).items():
        if (service, route) in usual:
            found[service] += sum(one.calls * (one.mean_ms - usual[service, route]) for one in samples.values())
    return {service: max(0.0, added) for service, added in found.items()}
