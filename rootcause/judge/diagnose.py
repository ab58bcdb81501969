"""The engine: two windows in, one verdict out. The same function runs live, in a replay and over recorded incidents.

Pure: no clock, no store. Deterministic: the same windows give the same verdict.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from typing import Literal

from rootcause.attribute.addressed import addressed
from rootcause.attribute.drilldown import UNNARROWED, Narrowed, narrow
from rootcause.attribute.graph import Graph
from rootcause.attribute.links import LinkShift
from rootcause.attribute.places import Place, slow_place
from rootcause.attribute.saturation import saturations
from rootcause.attribute.steps import step_shifts
from rootcause.attribute.strays import Stray, strays
from rootcause.attribute.surge import surges
from rootcause.attribute.vanished import vanished
from rootcause.detect.baseline import MIN_CALLS, common_factor
from rootcause.detect.errors import failing_entries
from rootcause.detect.fewer import Fall
from rootcause.detect.inside import felt_inside
from rootcause.detect.latency import NOTICEABLE, slow_entries
from rootcause.detect.symptom import Symptom
from rootcause.detect.throughput import less_asked, told, unasked_entries
from rootcause.judge.every_day import EveryDay
from rootcause.judge.evidence import Evidence, gather
from rootcause.judge.measured import measured, unclear
from rootcause.judge.prior import weighed
from rootcause.judge.rank import rank
from rootcause.judge.runners_up import runners_up
from rootcause.judge.suspect import Suspect
from rootcause.load.window import Window

State = Literal["nothing_wrong", "not_enough_data", "degraded"]


@dataclass(frozen=True, slots=True)
class Bars:
    """What a suspect has to explain to be blamed. `time`: a suspect that adds less than this to all waiting is left
    alone, for hosts differ by that much from hour to hour. `errors`: so is one that fails less than this of all
    requests and of its own, for whoever uses what few use feels it as much; counts are exact, so this bar is low."""

    time: float = 0.05
    errors: float = 0.005


BARS = Bars()
PERCEIVED_MS = 100.0
"""What is added to each request that few make is blamed from here on, however little it is of all waiting: a person
feels it (R. B. Miller, "Response time in man-computer conversational transactions", 1968)."""
MOST_SUSPECTS = 10
MIN_NORMAL_S = 30.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """`symptoms` worst first, `suspects` best first, those without a score after all others; the first `blamed` of them
    explain enough to be blamed, the very first is narrowed down, to `links` into it if these are at fault. `reason`
    says why there is none. `ranked` are those with a score, whether they explain enough or not. `place` is where
    several services are slow."""

    state: State
    reason: str
    symptoms: tuple[Symptom, ...] = ()
    suspects: tuple[Suspect, ...] = ()
    blamed: int = 0
    narrowed: Narrowed = UNNARROWED
    links: tuple[LinkShift, ...] = ()
    evidence: Evidence | None = None
    ranked: tuple[Suspect, ...] = ()
    place: Place | None = None

    @property
    def together(self) -> frozenset[str]:
        """The first suspect's service, and those that have one cause with it, being slow in the same place."""
        first = self.suspects[0].service
        shared = self.place is not None and first in self.place.services
        return frozenset(self.place.services) if self.place is not None and shared else frozenset({first})


def diagnose(
    baseline: Window, observed: Window, changed: Set[str] = frozenset(), days: Sequence[Window] = ()
) -> Verdict:
    """Says who degraded what, or that nothing is wrong, or that there is too little to tell. Degraded without suspects
    means that users feel something which nothing in the graph explains. `changed` are services that somebody changed
    just before, `days` windows of the same time on other days, by the minute."""
    if not (baseline.served or observed.served) and (observed.series or observed.steps):
        return _by_measure(baseline, observed)
    if observed.entry_calls < MIN_CALLS:
        return Verdict("not_enough_data", _hardly_asked(baseline, observed))
    if baseline.entry_calls < MIN_CALLS or baseline.covered_s < MIN_NORMAL_S:
        return Verdict(
            "not_enough_data",
            f"normal is not known yet: {baseline.entry_calls} requests in {baseline.covered_s:.0f} s",
        )
    felt = (*slow_entries(baseline, observed), *failing_entries(baseline, observed))
    every_day = EveryDay(days, baseline, observed)
    symptoms = every_day.symptoms((*felt, *unasked_entries(baseline, observed)))
    symptoms.sort(key=lambda symptom: -symptom.severity)
    evidence = every_day.evidence(gather(baseline, observed))
    graph = Graph([baseline, observed])
    place = slow_place(baseline, observed)
    ranked = weighed(rank(evidence, graph, observed, place=place), changed)
    suspects, blamed = cut(ranked, BARS)
    if not blamed and observed.on_path:
        # What became slower beside the path is not in front of whoever is felt, and not nothing either.
        ranked = weighed(rank(evidence, graph, replace(observed, on_path={}), place=place), changed)
        suspects, blamed = cut(ranked, BARS)
    if not blamed:
        strayed = measured(_strays(baseline, observed), {}, {}, {}, graph, felt=True) if symptoms else []
        if strayed:
            return _blaming(strayed, tuple(symptoms), ranked=tuple(ranked))
        return replace(_unblamed(symptoms, evidence, less_asked(baseline, observed)), ranked=tuple(ranked))
    verdict = Verdict(
        "degraded",
        "",
        tuple(symptoms) or (felt_inside(suspects[0], observed.entry_calls),),
        tuple([*suspects, *runners_up(evidence, suspects)][:MOST_SUSPECTS]),
        min(blamed, MOST_SUSPECTS),
        evidence=evidence,
        ranked=tuple(ranked),
        place=place,
    )
    return turned_to(suspects[0].service, verdict, baseline, observed)


def _by_measure(baseline: Window, observed: Window) -> Verdict:
    """Where nobody tells of calls."""
    if not baseline.series and not baseline.steps:
        return Verdict("not_enough_data", "neither calls nor metrics nor log lines tell of normal time")
    found = measured(
        _strays(baseline, observed),
        saturations(baseline, observed),
        surges(baseline, observed),
        step_shifts(baseline, observed),
        Graph([baseline, observed]),
        addressed(baseline, observed),
    )
    if not found:
        return Verdict("nothing_wrong", "nothing that is measured strays from normal")
    return _blaming(found, behind=unclear(strays(baseline, observed, least=1.0), found))


def _strays(baseline: Window, observed: Window) -> dict[str, tuple[Stray, ...]]:
    """Services whose metrics stray, and those that measure nothing any more."""
    found = strays(baseline, observed)
    for service, gone in vanished(baseline, observed).items():
        found[service] = (gone, *found.get(service, ()))
    return found


def _blaming(
    found: Sequence[Suspect],
    symptoms: tuple[Symptom, ...] = (),
    ranked: tuple[Suspect, ...] = (),
    behind: Sequence[Suspect] = (),
) -> Verdict:
    """By what is measured of services alone; `behind` those are others to look at."""
    suspects = (*found, *behind)[:MOST_SUSPECTS]
    symptoms = symptoms or (felt_inside(suspects[0], 1),)
    return Verdict("degraded", "", symptoms, suspects, min(len(found), MOST_SUSPECTS), ranked=ranked)


def turned_to(service: str, verdict: Verdict, baseline: Window, observed: Window) -> Verdict:
    """The verdict with this suspect first and narrowed down: of several causes at once, each is told by itself."""
    first = next(suspect for suspect in verdict.suspects if suspect.service == service)
    links = links_at_fault(first)
    return replace(
        verdict,
        suspects=(first, *(suspect for suspect in verdict.suspects if suspect is not first)),
        narrowed=UNNARROWED if links else _narrowed(first, baseline, observed),
        links=links,
    )


def cut(suspects: Sequence[Suspect], bars: Bars) -> tuple[list[Suspect], int]:
    """The suspects with those who explain enough first, and how many these are."""
    ordered = sorted(suspects, key=lambda suspect: not _worth_it(suspect, bars))
    return ordered, sum(_worth_it(suspect, bars) for suspect in suspects)


def _worth_it(suspect: Suspect, bars: Bars) -> bool:
    sure = suspect.silent is not None or suspect.drops or (suspect.steps is not None and suspect.steps.sure)
    steps = suspect.step_part if sure else 0.0
    failing = suspect.own_errors is not None and suspect.own_errors.added_rate >= bars.errors
    felt = suspect.time_part + steps >= bars.time or suspect.error_part >= bars.errors
    slow = suspect.each_ms >= max(PERCEIVED_MS, NOTICEABLE * suspect.usual_ms)
    return felt or failing or slow or suspect.strained is not None


def _narrowed(first: Suspect, baseline: Window, observed: Window) -> Narrowed:
    """Only its own doing can be narrowed down; what is full is one instance's."""
    if first.strained is not None and first.own_time is None and first.own_errors is None:
        return Narrowed(instance=first.strained.instance)
    by_errors = first.error_part > first.time_part
    if (first.own_errors if by_errors else first.own_time) is None:
        return UNNARROWED
    return narrow(first.service, baseline, observed, by_errors=by_errors)


def _hardly_asked(baseline: Window, observed: Window) -> str:
    """Few requests are no fault of a service; that there usually are many is for a person to know."""
    told = f"{observed.entry_calls} requests in the last {observed.seconds:.0f} s"
    usual = baseline.entry_calls / baseline.covered_s * observed.seconds if baseline.covered_s else 0.0
    return f"{told}, usually about {usual:.0f}" if usual >= 2 * MIN_CALLS else told


def _unblamed(symptoms: list[Symptom], evidence: Evidence, less: Fall | None) -> Verdict:
    if not symptoms:
        reason = "every entry point is as fast and as reliable as usual"
        return Verdict("nothing_wrong", f"{reason}; {told(less)}" if less else reason, evidence=evidence)
    where = f"{symptoms[0].service} {symptoms[0].route}".strip()
    factor = common_factor(evidence.own_time.values())
    if factor >= 1 + NOTICEABLE:
        cause = f"everything takes about {factor:.1f} times longer: look at what all services share, such as the host"
    elif symptoms[0].signal == "throughput":
        cause = "nothing inside keeps its requests away, and the rest is asked for as usual: look at what is before it"
    else:
        cause = "no service or link explains enough of it to be blamed"
    reason = f"{where} strays from normal, but {cause}"
    return Verdict("degraded", reason, tuple(symptoms), evidence=evidence)


def links_at_fault(first: Suspect) -> tuple[LinkShift, ...]:
    """The links into the suspect, when they explain more than its own doing."""
    into = tuple(link for link in first.links if link.destination == first.service)
    own_ms = first.own_time.excess_ms if first.own_time is not None else 0.0
    own_failed = first.own_errors.excess if first.own_errors is not None else 0.0
    links_ms = sum(link.time.excess_ms for link in into if link.time is not None)
    links_failed = sum(link.errors.excess for link in into if link.errors is not None)
    return into if links_ms > own_ms or links_failed > own_failed else ()
