"""Which services no longer take any of the requests that their callers, who go on, usually make.

In: both windows. Out: by service, how many requests were to be expected, and whose. That their spans are missing is no
fault by itself, a broken exporter looks alike; it says who is behind what callers suffer at the same time.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from rootcause.attribute.counts import requests_by_service
from rootcause.attribute.links import Ends
from rootcause.detect.baseline import Shift
from rootcause.detect.errors import UNLIKELY
from rootcause.detect.latency import slower
from rootcause.load.window import Called, Traffic, Window, calls, once

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
    usual, used = requests_by_service(baseline.traffic), requests_by_service(observed.traffic)
    made, now = _received(baseline.traffic), _received(observed.traffic)
    due = {
        ends: many * used[ends[0]] / usual[ends[0]]
        for ends, many in made.items()
        if usual[ends[0]] and used[ends[0]] and ends[0] != ends[1]
    }
    stopped = {ends for ends, many in due.items() if now[ends] <= _STILL * many}
    recorded, attempts = _sent(baseline.traffic), _sent(observed.traffic)
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
        if tried or (not told and all(_came_so_far(ends, stopped, due.keys(), baseline, own_time) for ends in links)):
            found[name] = Silent(name, expected, frozenset(caller for caller, _ in links), tried)
    return found


def _came_so_far(
    ends: Ends, stopped: Set[Ends], made: Set[Ends], baseline: Window, own_time: Mapping[str, Shift]
) -> bool:
    """Whether the caller came as far as this callee. One that calls nobody at all any more may have failed before its
    first call, unless it waits for something."""
    caller, callee = ends
    before = {(caller, one) for one, other in _in_turn(caller, baseline) if other == callee and one != callee}
    if before & stopped:
        return False
    waits = own_time.get(caller)
    all_stopped = all(one in stopped for one in made if one[0] == caller)
    return not all_stopped or (waits is not None and slower(waits))


def _in_turn(caller: str, baseline: Window) -> set[Ends]:
    """Callees of the caller that are called right after one another, by the steps of its requests."""
    pairs = set()
    for step in baseline.steps:
        if step.service == caller and ", then -> " in step.name:
            one, other = step.name.removeprefix("-> ").split(", then -> ", 1)
            pairs.add((one, other))
    return pairs


@once
def _sent(traffic: Traffic) -> Counter[Ends]:
    """Calls by link, as callers saw them."""
    return _calls(row for row in traffic.called if row.by_source)


@once
def _received(traffic: Traffic) -> Counter[Ends]:
    """Calls by link, as callees saw them."""
    return _calls(row for row in traffic.called if not row.by_source)


def _calls(rows: Iterable[Called]) -> Counter[Ends]:
    found: Counter[Ends] = Counter()
    for row in rows:
        if row.source:
            found[row.source, row.destination] += calls(row.buckets)
    return found
