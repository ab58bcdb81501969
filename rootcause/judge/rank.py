"""Orders the services by how much of what users feel each explains, after explaining away what others caused.

In: the shifts of `attribute/`. Out: suspects, best first; an empty list when nothing stands out.
A score adds up shares of what users feel: the part of all their waiting that a service's own time and its links added,
and the part of their requests that its own errors and changed steps touched.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from typing import TypeVar

from rootcause.attribute.attempts import Attempts
from rootcause.attribute.drops import Drop
from rootcause.attribute.graph import Graph
from rootcause.attribute.links import Ends, LinkShift
from rootcause.attribute.on_path import waited_for
from rootcause.attribute.own_errors import ErrorShift
from rootcause.attribute.places import Place
from rootcause.attribute.saturation import Saturation
from rootcause.attribute.silent import Silent
from rootcause.attribute.steps import StepShift
from rootcause.attribute.surge import Surge
from rootcause.detect.baseline import Shift, beyond, common_factor, common_wait
from rootcause.detect.errors import UNLIKELY
from rootcause.detect.latency import slower
from rootcause.judge.evidence import Evidence
from rootcause.judge.suspect import Suspect
from rootcause.load.window import Window, calls

K = TypeVar("K")
FULL_WEIGHT = 0.1
"""Something full is where a fault may come from, not what users feel; it counts for a tenth of requests it meets."""
STEP_WEIGHT = 0.5
"""A changed step is the trace of a fault, not what users feel, so it counts for half."""


@dataclass(slots=True)
class _Against:
    own_time: Shift | None = None
    own_errors: ErrorShift | None = None
    links: list[LinkShift] = field(default_factory=list)
    steps: StepShift | None = None
    full: Saturation | None = None
    surge: Surge | None = None
    silent: Silent | None = None
    drops: list[Drop] = field(default_factory=list)
    loops: list[Attempts] = field(default_factory=list)
    added_ms: float = 0.0
    failed: float = 0.0
    changed: float = 0.0
    met: int = 0


def rank(evidence: Evidence, graph: Graph, observed: Window, *, place: Place | None = None) -> list[Suspect]:
    """Suspects, best first. What became slower everywhere is nobody's, unless it is all in one `place`."""
    against: dict[str, _Against] = defaultdict(_Against)
    felt = graph.waited_for(row.service for row in observed.served if row.entry)
    _blame_time(evidence, graph, felt, observed.on_path, against, place)
    _blame_errors(evidence, graph, against)
    _blame_attempts(evidence, graph, felt, against)
    _blame_steps(evidence, graph, against)
    _blame_drops(evidence, graph, against)
    _blame_full(evidence, observed, against)
    _blame_silent(evidence, against)
    waited = sum(bucket.total_ms for row in observed.served if row.entry for bucket in row.buckets)
    asked = observed.entry_calls
    suspects = [
        Suspect(
            service,
            time_part=min(1.0, found.added_ms / waited) if waited else 0.0,
            error_part=min(1.0, found.failed / asked) if asked else 0.0,
            step_part=STEP_WEIGHT * min(1.0, found.changed / asked) if asked else 0.0,
            full_part=FULL_WEIGHT * min(1.0, found.met / asked) if asked else 0.0,
            own_time=found.own_time,
            own_errors=found.own_errors,
            links=tuple(found.links),
            steps=found.steps,
            full=found.full,
            surge=found.surge,
            silent=found.silent,
            drops=tuple(found.drops),
            loops=tuple(found.loops),
            each_ms=each_ms,
            usual_ms=usual_ms,
        )
        for service, found in against.items()
        for each_ms, usual_ms in (_each_ms(service, found.added_ms, observed),)
    ]
    return sorted((s for s in suspects if s.score > 0), key=lambda suspect: (-suspect.score, suspect.service))


def _each_ms(service: str, added_ms: float, observed: Window) -> tuple[float, float]:
    """What is added to each request of the service, and what these take without it; nothing where they are not seen."""
    buckets = [bucket for row in observed.served if row.service == service for bucket in row.buckets]
    met, total_ms = calls(buckets), sum(bucket.total_ms for bucket in buckets)
    return (added_ms / met, max(0.0, total_ms - added_ms) / met) if met else (0.0, 0.0)


def _blame_time(
    evidence: Evidence,
    graph: Graph,
    felt: Set[str],
    on_path: Mapping[str, float],
    against: dict[str, _Against],
    place: Place | None,
) -> None:
    """Only what a service or link that requests from outside wait for adds beyond what became slower everywhere."""
    waits = {ends: link.time for ends, link in evidence.links.items() if link.time is not None}
    own_factor = common_factor(evidence.own_time.values()) if place is None else 1.0
    own = {service: ms for service, ms in _standing_out(evidence.own_time, own_factor).items() if service in felt}
    links = {ends: ms for ends, ms in _standing_out(waits, common_wait(waits)).items() if ends[0] in felt}
    own, links = waited_for(own, on_path), waited_for(links, on_path)
    for service, added_ms in own.items():
        below = graph.below(service) - {service} if graph.guessed else ()
        against[service].own_time = evidence.own_time[service]
        against[service].added_ms += max(0.0, added_ms - sum(own.get(callee, 0.0) for callee in below))
    for ends, added_ms in links.items():
        found = against[_end_at_fault(ends, own.keys(), links.keys(), graph)]
        found.links.append(evidence.links[ends])
        found.added_ms += added_ms


def _standing_out(shifts: dict[K, Shift], factor: float) -> dict[K, float]:
    """Those that are slower beyond what all share, and how many ms they added."""
    left = {key: beyond(shift, factor) for key, shift in shifts.items()}
    return {key: shift.excess_ms for key, shift in left.items() if slower(shift)}


def _end_at_fault(ends: Ends, slow: Set[str], slow_links: Set[Ends], graph: Graph) -> str:
    """A slow link is the callee's, unless the caller is slow itself, or waited for longer than it works, and waits
    longer for several others too, while nobody else waits longer for this callee: then the caller is starved."""
    source, destination = ends
    callee_slow_for_others = any((other, destination) in slow_links for other in graph.callers(destination) - {source})
    slow_out = sum((source, callee) in slow_links for callee in graph.callees(source))
    slow_in = any((caller, source) in slow_links for caller in graph.callers(source))
    starved = (source in slow or slow_in) and slow_out > 1 and not callee_slow_for_others
    return source if starved else destination


def _blame_errors(evidence: Evidence, graph: Graph, against: dict[str, _Against]) -> None:
    """Own errors of a service whose callees have some too are those callees' first: bad answers make bad callers. So
    are those of calls that are not even made any more while others fail: a breaker is open."""
    raised = {s: shift for s, shift in evidence.own_errors.items() if shift.log_chance <= UNLIKELY}
    refused = {ends: shift for ends, shift in evidence.refused.items() if shift.log_chance <= UNLIKELY}
    for (source, destination), shift in refused.items():
        against[destination].links.append(LinkShift(source, destination, shift.calls, None, shift))
        against[destination].failed += shift.excess
    links = [link for link in evidence.links.values() if link.errors and link.errors.log_chance <= UNLIKELY]
    for link in links:
        assert link.errors is not None
        found = against[_behind(link.destination, link.errors.reason, graph, against)]
        found.links.append(link)
        found.failed += link.errors.excess
    for service, shift in raised.items():
        below = _excess(raised, graph.below(service) - {service})
        below += sum(one.excess for ends, one in refused.items() if ends[0] == service)
        below += sum(one.missing for ends, one in evidence.attempts.items() if ends[0] == service and one.failing)
        against[service].own_errors = shift
        against[service].failed += max(0.0, shift.excess - below)


_GAVE_UP = frozenset(
    {"", "breaker_open", "upstream_timeout", "route_timeout", "deadline_exceeded", "concurrency_limit"}
)
"""Reasons of callers that did not wait any longer; or none, where no proxy tells."""


def _behind(service: str, reason: str, graph: Graph, against: Mapping[str, _Against]) -> str:
    """Whom a caller that gives up on `service` really waits for: it, unless it is not slow itself and somebody is whom
    it waits for in turn."""
    slow = {name for name, found in against.items() if found.added_ms > 0}
    below = (graph.below(service) & slow) - {service}
    if reason not in _GAVE_UP or service in slow or not below:
        return service
    return max(below, key=lambda name: (against[name].added_ms, name))


def _excess(raised: dict[str, ErrorShift], services: Iterable[str]) -> float:
    return sum(raised[service].excess for service in services if service in raised)


def _blame_attempts(evidence: Evidence, graph: Graph, felt: Set[str], against: dict[str, _Against]) -> None:
    """Who calls several times as often for each request is to blame for the time of these calls. Calls that fail are
    tried again, and what a caller waits in between is not its own time but of whoever fails."""
    for (source, _), one in evidence.attempts.items():
        if not (one.many or one.again) or source not in felt:
            continue
        failing = [name for name in graph.below(source) - {source} if name in against and against[name].failed > 0]
        if one.again and failing:
            worst = max(failing, key=lambda name: (against[name].failed, name))
            against[worst].added_ms += against[source].added_ms
            against[source].added_ms = 0.0
        elif not one.failing and not failing and one.extra_ms > 0:
            against[source].loops.append(one)
            against[source].added_ms += one.extra_ms


def _blame_steps(evidence: Evidence, graph: Graph, against: dict[str, _Against]) -> None:
    """Only the deepest service that changed: its callers change what they do because of its answers, or of none."""
    changed = {s: shift for s, shift in evidence.steps.items() if shift.log_chance <= UNLIKELY}
    sure = {s for s, shift in changed.items() if shift.sure}
    explain = sure | {service for service, found in against.items() if found.failed > 0}
    for service, shift in changed.items():
        if not explain & (graph.below(service) - {service}):
            against[service].steps = shift
            against[service].changed += shift.changed


def _blame_drops(evidence: Evidence, graph: Graph, against: dict[str, _Against]) -> None:
    """Whoever stopped calling, unless somebody it depends on explains that; whom all of several callers stopped to call
    at once is what these have in common."""
    explain = {name for name, found in against.items() if found.failed > 0 or found.added_ms > 0 or found.changed > 0}
    explain |= {source for source, _ in evidence.drops}
    for (source, destination), drop in evidence.drops.items():
        if explain & (graph.below(source) - {source}):
            continue
        callers = {one for one, other in evidence.drops if other == destination}
        found = against[destination if len(callers) > 1 and callers == graph.callers(destination) else source]
        found.drops.append(drop)
        found.changed = max(found.changed, sum(drop.fall.missing for drop in found.drops))


def _blame_full(evidence: Evidence, observed: Window, against: dict[str, _Against]) -> None:
    """Whoever runs on something full, or uses up much more than ever, by the requests it meets."""
    for service in evidence.full.keys() | evidence.surges.keys():
        against[service].full = evidence.full.get(service)
        against[service].surge = evidence.surges.get(service)
        against[service].met = sum(calls(row.buckets) for row in observed.served if row.service == service)


def _blame_silent(evidence: Evidence, against: dict[str, _Against]) -> None:
    """What callers do otherwise since somebody they call is silent is that one's doing; where they record no calls, so
    is what they wait and fail: of several that are silent, of who is so to most callers. Without any of it nobody is
    blamed for spans that are missing."""
    for service, silent in sorted(evidence.silent.items(), key=lambda one: -len(one[1].callers)):
        for caller in silent.callers & against.keys():
            theirs, found = against[caller], against[service]
            found.silent = silent
            found.changed += theirs.changed
            theirs.changed, theirs.steps = 0.0, None
            if not silent.attempted:
                found.failed += theirs.failed
                found.added_ms += theirs.added_ms
                theirs.failed = theirs.added_ms = 0.0
