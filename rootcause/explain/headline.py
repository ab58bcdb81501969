"""The headline of a finding: what is felt of a verdict's first suspect, what it is called, one line for the pager.

Pure: nothing but the verdict.
"""

from dataclasses import replace

from rootcause.detect.inside import felt_inside
from rootcause.detect.symptom import Symptom
from rootcause.explain import wording
from rootcause.explain.finding import ANY_SOURCE, Culprit
from rootcause.explain.quantities import amount, percent
from rootcause.judge.diagnose import Verdict
from rootcause.judge.suspect import Suspect


def felt(verdict: Verdict) -> Symptom:
    """The worst symptom of the kind that the first suspect causes; who is slow while users only see what others fail is
    told by its own time; else the worst."""
    first = verdict.suspects[0]
    signal = "errors" if by_errors(first) else "latency"
    if only_full(first) or only_fewer(first):
        signal = "saturation" if only_full(first) else "throughput"
    alike = next((symptom for symptom in verdict.symptoms if symptom.signal == signal), None)
    links = tuple(replace(link, errors=None) for link in first.links if link.time is not None)
    if alike is None and signal == "latency" and (first.own_time is not None or links or first.loops):
        slow = Suspect(
            first.service, time_part=first.time_part, own_time=first.own_time, links=links, loops=first.loops
        )
        return felt_inside(slow, entry_calls=1)
    return alike or verdict.symptoms[0]


def by_errors(suspect: Suspect) -> bool:
    """Whether failures speak louder against it than time."""
    return suspect.error_part >= suspect.time_part


def only_full(suspect: Suspect) -> bool:
    """Whether nothing but what it runs on speaks against it."""
    return suspect.strained is not None and suspect.score <= suspect.full_part


def only_fewer(suspect: Suspect) -> bool:
    """Whether nothing but calls that no longer come speaks against it."""
    return bool(suspect.drops) and suspect.error_part + suspect.time_part == 0


def only_inside(verdict: Verdict) -> bool:
    """Whether nothing but what requests do inside speaks against it, and users feel nothing."""
    first = verdict.suspects[0]
    return first.steps is not None and first.score <= first.step_part and felt(verdict).service == first.service


def culprit_of(verdict: Verdict) -> Culprit:
    """The first suspect, as far down as the evidence reaches."""
    first, narrowed = verdict.suspects[0], verdict.narrowed
    if verdict.links:
        source = verdict.links[0].source if len(verdict.links) == 1 else ANY_SOURCE
        return Culprit(service=first.service, link=f"{source} -> {first.service}")
    shared = verdict.place if len(verdict.together) > 1 else None
    return Culprit(
        service=first.service,
        version=narrowed.version,
        instance=narrowed.instance,
        route=narrowed.route,
        node=shared.name if shared is not None and shared.kind == "node" else "",
        zone=shared.name if shared is not None and shared.kind == "zone" else "",
    )


def title(verdict: Verdict, culprit: Culprit) -> str:
    """One line for the pager."""
    first, symptom = verdict.suspects[0], felt(verdict)
    who = wording.named(culprit)
    does = "fails requests" if by_errors(first) else "is slow"
    if symptom.signal == "saturation" and first.full is not None:
        usual, now = percent(symptom.baseline), percent(symptom.observed)
        return f"{who} is at its limit: {first.full.resource} in use {usual} -> {now}"
    if symptom.signal == "saturation" and first.surge is not None:
        return f"{who} uses {symptom.observed:.1f} times as much as ever: {first.surge.metric}"
    if only_fewer(first):
        return f"{who}: {wording.dropped(first.drops[0])}"
    if only_inside(verdict):
        return f"{who}: {wording.against(first)}"
    usual, now = (amount(figure, symptom.unit) for figure in (symptom.baseline, symptom.observed))
    where = f"{symptom.service} {symptom.route}".strip()
    if symptom.signal == "errors":
        return f"{who} {does}: {now} of requests to {where} fail, usually {usual}"
    return f"{who} {does}: {where} takes {now} on average, usually {usual}"
