"""Writes the proof sheet: turns a verdict into a finding in plain words, every number with the SQL that shows it.

Pure: times and ids are arguments.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from rootcause.attribute.graph import Graph
from rootcause.detect.baseline import Shift
from rootcause.detect.inside import felt_inside
from rootcause.detect.symptom import Symptom
from rootcause.explain import wording
from rootcause.explain.counterfactual import without
from rootcause.explain.detail import UNKNOWN, Detail, in_common, narrowed_to
from rootcause.explain.exemplars import counter_exemplars, exemplars
from rootcause.explain.finding import (
    ANY_SOURCE,
    Contribution,
    Culprit,
    Evidence,
    Figures,
    Finding,
    OnPath,
    Onset,
    Ranked,
    RuledOut,
    Windows,
)
from rootcause.explain.finding import Symptom as SymptomPart
from rootcause.explain.gaps import gaps_of
from rootcause.explain.quantities import amount, ms, percent
from rootcause.explain.queries import Queries, step_sql
from rootcause.explain.waited import waited_for
from rootcause.judge.confidence import confidence
from rootcause.judge.diagnose import Verdict
from rootcause.judge.suspect import Suspect
from rootcause.load.changes import Change
from rootcause.load.looked import NO_SAMPLE, Sample
from rootcause.load.window import Window

MOST_RULED_OUT = 20


def explain(
    verdict: Verdict,
    baseline: Window,
    observed: Window,
    queries: Queries,
    *,
    incident: str,
    now: float,
    change: Change | None = None,
    sample: Sample = NO_SAMPLE,
    detail: Detail = UNKNOWN,
) -> Finding:
    """The finding of a verdict that has a suspect; `sample` are spans of some requests of both windows, `detail` is
    what single requests tell."""
    first = verdict.suspects[0]
    symptom = felt(verdict)
    culprit = narrowed_to(culprit_of(verdict), detail)
    path = waited_for(sample, symptom)
    gaps = gaps_of(verdict, Graph([baseline, observed]), observed)
    return Finding(
        id=incident,
        state="open",
        opened_at=moment(now),
        updated_at=moment(now),
        title=title(verdict, culprit),
        symptom=SymptomPart(
            service=symptom.service,
            route=symptom.route,
            signal=symptom.signal,
            baseline=round(symptom.baseline, 4),
            observed=round(symptom.observed, 4),
            unit=symptom.unit,
        ),
        culprit=culprit,
        confidence=round(confidence(verdict) * min((gap.captured for gap in gaps), default=1.0), 3),
        contribution=_contribution(verdict, symptom),
        ranking=tuple(_ranked(suspect) for suspect in verdict.suspects),
        ruled_out=_ruled_out(verdict, baseline, observed),
        exemplars=exemplars(observed, culprit, bad=_worst(detail), by_errors=by_errors(first)),
        counter_exemplars=counter_exemplars(baseline, observed, culprit, symptom, sample),
        change=change,
        evidence=(
            *_evidence(verdict, symptom, queries),
            *in_common(culprit, detail),
            *_waited(path, symptom, queries),
            *_counterfactual(verdict, symptom, (baseline, observed), queries),
        ),
        windows=Windows(
            baseline=(moment(baseline.start), moment(baseline.end)),
            incident=(moment(observed.start), moment(observed.end)),
        ),
        onset=_onset(detail),
        path=path,
        gaps=gaps,
    )


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
    node = verdict.machine.node if verdict.machine is not None and len(verdict.together) > 1 else ""
    return Culprit(
        service=first.service,
        version=narrowed.version,
        instance=narrowed.instance,
        route=narrowed.route,
        node=node,
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


def moment(time: float) -> datetime:
    """Unix seconds as a UTC time, to the millisecond."""
    return datetime.fromtimestamp(round(time, 3), UTC)


def _onset(detail: Detail) -> Onset | None:
    began = detail.began
    return Onset(at=moment(began.at), within_s=round(began.within_s, 3)) if began is not None else None


def _worst(detail: Detail) -> tuple[str, ...]:
    return detail.common.found.traces if detail.common is not None else ()


def _contribution(verdict: Verdict, symptom: Symptom) -> Contribution:
    parts = {suspect.service: _part(suspect, symptom) for suspect in verdict.suspects}
    whole = sum(parts.values())
    share = sum(parts.get(service, 0.0) for service in verdict.together) / whole if whole else 0.0
    return Contribution(
        value=round(share * (symptom.observed - symptom.baseline), 4),
        unit=symptom.unit,
        share=round(share, 3),
    )


def _part(suspect: Suspect, symptom: Symptom) -> float:
    if symptom.signal == "latency":
        return suspect.time_part
    return suspect.full_part if symptom.signal == "saturation" else suspect.error_part + suspect.step_part


def _ranked(suspect: Suspect) -> Ranked:
    errors = suspect.own_errors
    link = max((link.time for link in suspect.links if link.time), key=lambda shift: shift.excess_ms, default=None)
    return Ranked(
        service=suspect.service,
        score=round(suspect.score, 3),
        own_time_ms=_figures(suspect.own_time),
        own_errors=Figures(baseline=round(errors.baseline_rate, 4), observed=round(errors.observed_rate, 4))
        if errors
        else None,
        link_ms=_figures(link),
        why=wording.against(suspect)
        if suspect.score > 0
        else f"not to blame, but not as usual: {wording.against(suspect)}",
    )


def _figures(shift: Shift | None) -> Figures | None:
    if shift is None:
        return None
    return Figures(baseline=round(shift.baseline_ms, 3), observed=round(shift.observed_ms, 3))


def _ruled_out(verdict: Verdict, baseline: Window, observed: Window) -> tuple[RuledOut, ...]:
    """Those that carried the trouble first, for they are who a person would suspect."""
    assert verdict.evidence is not None
    culprit = verdict.suspects[0].service
    graph = Graph([baseline, observed])
    blamed = {suspect.service for suspect in verdict.suspects}
    others = sorted(observed.services - blamed, key=lambda name: (culprit not in graph.below(name), name))
    found = []
    for service in others[:MOST_RULED_OUT]:
        time = verdict.evidence.own_time.get(service)
        carries = f"it waits for {culprit}" if culprit in graph.below(service) else f"it does not call {culprit}"
        own = (
            f"its own time is {ms(time.observed_ms)}, usually {ms(time.baseline_ms)}"
            if time is not None
            else "it was hardly called"
        )
        failed = verdict.evidence.own_errors.get(service)
        errors = f"{failed.excess:.0f} more own failures than usual" if failed else "no more own failures than usual"
        found.append(RuledOut(service=service, why=f"{own}, {errors}; {carries}"))
    return tuple(found)


def _dropped(first: Suspect, queries: Queries) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(statement=wording.dropped(drop), sql=queries.link(drop.source, drop.destination))
        for drop in first.drops
    )


def _looped(first: Suspect, queries: Queries) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(statement=f"{first.service} {wording.looped(loop)}", sql=queries.link(loop.source, loop.destination))
        for loop in first.loops
    )


def _on_machine(verdict: Verdict, queries: Queries) -> tuple[Evidence, ...]:
    if verdict.machine is None or len(verdict.together) < 2:
        return ()
    machine = verdict.machine
    return (Evidence(statement=wording.on_machine(machine), sql=queries.nodes(machine.services)),)


def _evidence(verdict: Verdict, symptom: Symptom, queries: Queries) -> tuple[Evidence, ...]:
    first = verdict.suspects[0]
    inside = symptom.signal == "saturation" or only_fewer(first) or only_inside(verdict)
    statements = [*([] if inside else [felt_by_users(symptom, queries)])]
    if first.strained is not None:
        full = Suspect(first.service, full=first.full, surge=first.surge)
        statements.append(
            Evidence(statement=f"{first.service}: {wording.against(full)}", sql=queries.usage(first.service))
        )
    if any(part is not None for part in (first.own_time, first.own_errors)):
        own = Suspect(first.service, error_part=first.error_part, own_time=first.own_time, own_errors=first.own_errors)
        sql = queries.service(first.service)
        statements.append(Evidence(statement=f"{first.service}: {wording.against(own)}", sql=sql))
    statements += [*_looped(first, queries), *_dropped(first, queries)]
    if first.steps is not None:
        step = Suspect(first.service, steps=first.steps)
        sql = step_sql(first.steps, queries)
        statements.append(Evidence(statement=f"{first.service}: {wording.against(step)}", sql=sql))
    if verdict.narrowed.siblings:
        names = verdict.narrowed
        statements.append(
            Evidence(
                statement=f"{names.version or names.instance} is affected, {names.siblings} beside it is not",
                sql=queries.service(first.service),
            )
        )
    statements += _on_machine(verdict, queries)
    statements += [
        Evidence(statement=wording.link_against(link), sql=queries.link(link.source, link.destination))
        for link in first.links
    ]
    return tuple(statements)


def _waited(path: Sequence[OnPath], symptom: Symptom, queries: Queries) -> tuple[Evidence, ...]:
    if not path:
        return ()
    statement = f"on the critical path of {symptom.service} {symptom.route}".rstrip()
    return (Evidence(statement=f"{statement}: {wording.waited(path)}", sql=queries.entries(symptom.service)),)


def _counterfactual(
    verdict: Verdict, symptom: Symptom, windows: tuple[Window, Window], queries: Queries
) -> tuple[Evidence, ...]:
    if only_inside(verdict):
        return ()
    share = _contribution(verdict, symptom).share
    service = verdict.suspects[0].service
    who = f"what the link to {service} adds" if verdict.links else service
    who = f"what node {verdict.machine.node} adds" if verdict.machine and len(verdict.together) > 1 else who
    told = without(who, symptom, share, *windows)
    return (Evidence(statement=told, sql=queries.entries(symptom.service)),) if told else ()


def felt_by_users(symptom: Symptom, queries: Queries) -> Evidence:
    """What an entry point shows, in normal time and now."""
    what = {"errors": "failed requests", "latency": "mean time"}.get(symptom.signal, "requests")
    where = f"{symptom.service} {symptom.route}".strip()
    return Evidence(
        statement=(
            f"{where}: {what} {amount(symptom.observed, symptom.unit)},"
            f" usually {amount(symptom.baseline, symptom.unit)}"
        ),
        sql=queries.entries(symptom.service),
    )
