"""Which services no longer take any of the requests that their callers, who go on, usually make.

In: both windows. Out: by service, how many requests were to be expected, and whose. That their spans are missing is no
fault by itself, a broken exporter looks alike; it says who is behind what callers suffer at the same time.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from rootcause.attribute.counts import requests_by_service
from rootcause.attribute.links import Ends
from rootcause.detect.baseline import Shift
from rootcause.detect.errors import UNLIKELY
from rootcause.detect.fewer import FEWEST_BUCKETS, TELLING
from rootcause.detect.latency import slower
from rootcause.load.window import Bucket, Called, Traffic, Window, calls, errors, once

_STILL = 0.05
"""Whoever takes this part of the requests it should get still answers somebody."""


@dataclass(frozen=True, slots=True)
class Silent:
    """`expected` requests of `callers` that were to come as usual. `attempted`: spans of the callers show that they
    called; where callers record no calls, their own waiting and failing may be for this service."""

    service: str
    expected: float
    callers: frozenset[str]
    attempted: bool


def silent_services(baseline: Window, observed: Window, own_time: Mapping[str, Shift]) -> dict[str, Silent]:
    """By service. One whose callers stopped before they came to call it is not silent."""
    settled = _settled(observed.traffic)
    usual, used = requests_by_service(baseline.traffic), requests_by_service(settled)
    made, now = _received(baseline.traffic), _received(settled)
    due = {
        ends: many * used[ends[0]] / usual[ends[0]]
        for ends, many in made.items()
        if usual[ends[0]] and used[ends[0]] and ends[0] != ends[1]
    }
    stopped = {ends for ends, many in due.items() if now[ends] <= _STILL * many}
    recorded, attempts = _sent(baseline.traffic), _sent(settled)
    calls_due = _Calls(due, stopped, baseline, settled, own_time)
    into: dict[str, list[Ends]] = defaultdict(list)
    for ends in due:
        into[ends[1]].append(ends)
    found = {}
    for name, links in sorted(into.items()):
        expected = sum(due[ends] for ends in links)
        if expected < -UNLIKELY or used[name] > _STILL * expected:
            continue
        tried = sum(attempts[ends] for ends in links) >= expected / 2
        told = any(recorded[ends] for ends in links)
        if tried or (not told and calls_due.came(links)):
            found[name] = Silent(name, expected, frozenset(caller for caller, _ in links), tried)
    return found


@dataclass(frozen=True, slots=True)
class _Calls:
    """Calls that were `due` by link, and which of these links are hardly used any more."""

    due: Mapping[Ends, float]
    stopped: Set[Ends]
    baseline: Window
    settled: Traffic
    own_time: Mapping[str, Shift]

    def came(self, links: Sequence[Ends]) -> bool:
        """Whether callers came as far as the callee of these links: of whole nodes one that surely did is enough."""
        counted = _counted(self.baseline.traffic)
        came = [self._came_so_far(ends) if counted[ends] else self._came_by_requests(ends) for ends in links]
        return all(came) if any(counted[ends] for ends in links) else any(came)

    def _came_so_far(self, ends: Ends) -> bool:
        """Whether the caller came as far as this callee. One that calls nobody at all any more may have failed before
        its first call, unless it waits for something."""
        caller, callee = ends
        before = {(caller, one) for one, other in _in_turn(caller, self.baseline) if other == callee and one != callee}
        if before & self.stopped:
            return False
        return not all(one in self.stopped for one in self._made_by(caller)) or self._waits(caller)

    def _came_by_requests(self, ends: Ends) -> bool:
        """Of whole nodes only: what the caller answers well would make calls, and so does what others do not ask of
        whom it calls besides. Who calls nobody is counted by its callers, also when it does not answer."""
        caller, callee = ends
        if not any(one == callee for one, _ in _received(self.baseline.traffic)):
            return False
        well = self.due[ends] * (1 - _failing(self.settled).get(caller, 0.0))
        if well >= TELLING and requests_by_service(self.settled)[callee] <= _STILL * well:
            return True
        beside = [one for one in self._made_by(caller) if one != ends]
        if any(one not in self.stopped and self._only_caller(one) for one in beside):
            return True
        return not beside and self._waits(caller)

    def _made_by(self, caller: str) -> list[Ends]:
        return [ends for ends in self.due if ends[0] == caller]

    def _only_caller(self, ends: Ends) -> bool:
        return sum(callee == ends[1] for _, callee in self.due) == 1

    def _waits(self, caller: str) -> bool:
        waits = self.own_time.get(caller)
        return waits is not None and slower(waits)


@once
def _failing(traffic: Traffic) -> Mapping[str, float]:
    """The share of failed requests, by service."""
    failed: Counter[str] = Counter()
    for row in traffic.served:
        failed[row.service] += errors(row.buckets)
    return {service: many / max(1, requests_by_service(traffic)[service]) for service, many in failed.items()}


def _in_turn(caller: str, baseline: Window) -> set[Ends]:
    """Callees of the caller that are called right after one another, by the steps of its requests."""
    pairs = set()
    for step in baseline.steps:
        if step.service == caller and ", then -> " in step.name:
            one, other = step.name.removeprefix("-> ").split(", then -> ", 1)
            pairs.add((one, other))
    return pairs


@once
def _settled(traffic: Traffic) -> Traffic:
    """Without the first of several buckets: whoever fell silent in it took requests before."""
    starts = {bucket.start for row in traffic.served for bucket in row.buckets}
    if len(starts) < FEWEST_BUCKETS:
        return traffic
    first = min(starts)
    return Traffic(
        tuple(replace(row, buckets=_after(first, row.buckets)) for row in traffic.served),
        tuple(replace(row, buckets=_after(first, row.buckets)) for row in traffic.called),
    )


def _after(first: float, buckets: Iterable[Bucket]) -> tuple[Bucket, ...]:
    return tuple(bucket for bucket in buckets if bucket.start > first)


@once
def _sent(traffic: Traffic) -> Counter[Ends]:
    """Calls by link, as callers saw them."""
    return _calls(row for row in traffic.called if row.by_source)


@once
def _received(traffic: Traffic) -> Counter[Ends]:
    """Calls by link, as callees saw them. Those of a callee of which only the whole was counted are shared out among
    its callers by their requests."""
    counted = _counted(traffic)
    found, asked = Counter(counted), requests_by_service(traffic)
    known = {callee for (_, callee), many in counted.items() if many}
    callers: dict[str, list[Ends]] = defaultdict(list)
    for ends in counted:
        if ends[1] not in known:
            callers[ends[1]].append(ends)
    for callee, into in callers.items():
        of = sum(asked[caller] for caller, _ in into)
        found.update({ends: round(asked[callee] * asked[ends[0]] / of) for ends in into if of})
    return found


@once
def _counted(traffic: Traffic) -> Counter[Ends]:
    """Calls by link that callees saw; none where a link is only known of."""
    return _calls(row for row in traffic.called if not row.by_source and row.waited)


def _calls(rows: Iterable[Called]) -> Counter[Ends]:
    found: Counter[Ends] = Counter()
    for row in rows:
        if row.source:
            found[row.source, row.destination] += calls(row.buckets)
    return found
