"""Writes the proof sheet: turns a verdict into a finding in plain words, every number with the SQL that shows it.

Pure: times and ids are arguments.
"""

from datetime import UTC, datetime

from rootcause.attribute.graph import Graph
from rootcause.detect.baseline import Shift
from rootcause.explain import wording
from rootcause.explain.contribution import contribution
from rootcause.explain.detail import UNKNOWN, Detail, narrowed_to
from rootcause.explain.exemplars import counter_exemplars, exemplars
from rootcause.explain.finding import (
    Figures,
    Finding,
    Onset,
    Ranked,
    RuledOut,
    Windows,
)
from rootcause.explain.finding import Symptom as SymptomPart
from rootcause.explain.gaps import gaps_of
from rootcause.explain.headline import by_errors, culprit_of, felt, title
from rootcause.explain.quantities import ms
from rootcause.explain.queries import Queries
from rootcause.explain.statements import statements
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
        contribution=contribution(verdict, symptom),
        ranking=tuple(_ranked(suspect) for suspect in verdict.suspects),
        ruled_out=_ruled_out(verdict, baseline, observed),
        exemplars=exemplars(observed, culprit, bad=_worst(detail), by_errors=by_errors(first)),
        counter_exemplars=counter_exemplars(baseline, observed, culprit, symptom, sample),
        change=change,
        evidence=statements(verdict, symptom, (baseline, observed), queries, culprit=culprit, detail=detail, path=path),
        windows=Windows(
            baseline=(moment(baseline.start), moment(baseline.end)),
            incident=(moment(observed.start), moment(observed.end)),
        ),
        onset=_onset(detail),
        path=path,
        gaps=gaps,
    )


def moment(time: float) -> datetime:
    """Unix seconds as a UTC time, to the millisecond."""
    return datetime.fromtimestamp(round(time, 3), UTC)


def _onset(detail: Detail) -> Onset | None:
    began = detail.began
    return Onset(at=moment(began.at), within_s=round(began.within_s, 3)) if began is not None else None


def _worst(detail: Detail) -> tuple[str, ...]:
    return detail.common.found.traces if detail.common is not None else ()


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
