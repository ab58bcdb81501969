"""One evaluation after the other: reads both windows, judges, keeps the incidents' lives.

In: an open store and the time. Out: an Answer to "what is wrong?", and the events to tell others.
Blocking; one thread at a time.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from collector.store.client import Reader
from rootcause.explain.changes import changed
from rootcause.explain.finding import Finding
from rootcause.explain.proof import moment
from rootcause.explain.quantities import percent
from rootcause.explain.queries import RollupQueries
from rootcause.explain.statements import felt_by_users
from rootcause.incidents.casebook import Casebook, News, Seen
from rootcause.incidents.lifecycle import Incident
from rootcause.incidents.single_requests import SingleRequests
from rootcause.incidents.vigil import Sight, Vigil
from rootcause.judge.diagnose import State, Verdict
from rootcause.load.beside import Beside
from rootcause.load.from_gauges import load_usage
from rootcause.load.from_rollups import load_normal, load_question
from rootcause.load.read_changes import read_changes
from rootcause.load.window import Interval, Window
from rootcause.promises.symptoms import Felt

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What `/v1/why` says. `finding` is the incident that is open longest, `also` are those open beside it; `felt` is
    what entry points show, whether somebody is blamed for it or not; `blind` is why all this may be old."""

    state: State
    summary: str
    finding: Finding | None = None
    checked: dict[str, Any] = field(default_factory=dict)
    also: tuple[Finding, ...] = ()
    felt: tuple[Felt, ...] = ()
    blind: str = ""


class Watch:
    """What goes on and what is normal; `book` keeps what was found."""

    def __init__(self, reader: Reader, book: Casebook) -> None:
        self._reader = reader
        self._beside = Beside(reader)
        self._requests = SingleRequests(reader)
        self._book = book
        self._vigil: Vigil | None = None

    def evaluate(self, now: float) -> tuple[Answer, list[News]]:
        """One evaluation: the answer, and (event, finding) for each incident that opened or was resolved.

        Raises StoreUnavailable, QueryFailed; then nothing has changed but what was already written.
        """
        vigil = self._vigil = self._vigil or self._resume(now)
        changes = cache(lambda: read_changes(self._reader, now))
        sight = vigil.compare(now, lambda: changed(changes()))
        events = vigil.judge(sight)
        details = self._requests.look(events, sight)
        # Read by now where there are suspects; only theirs are told of.
        before = changes() if sight.verdict.suspects else ()
        seen = Seen(sight.verdict, sight.baseline, sight.observed, before, now, details, sight.sample)
        news = [told for event in events if (told := self._book.record(event, seen)) is not None]
        news += self._book.released(now)
        self._book.write()
        return replace(self._answer(sight), felt=_felt(sight, explained=bool(self._book.open))), news

    def _resume(self, now: float) -> Vigil:
        """Takes up incidents that were open when the engine stopped, with what was normal then."""
        findings = self._book.resume(now)
        normal: tuple[Interval, ...] | None = None
        for finding in findings:
            if finding.state == "open":
                start, end = finding.windows.baseline
                normal = (Interval(start.timestamp(), end.timestamp()),)
        beside = self._beside
        return Vigil(self._load, map(_left, findings), normal, beside.look, self._load_normal, beside.glance)

    def _load(self, requests: Sequence[Interval], gauges: Sequence[Interval]) -> Window:
        return replace(load_question(self._reader, requests), usage=load_usage(self._reader, gauges))

    def _load_normal(self, requests: Sequence[Interval], gauges: Sequence[Interval]) -> Window:
        return replace(load_normal(self._reader, requests), usage=load_usage(self._reader, gauges))

    def _answer(self, sight: Sight) -> Answer:
        verdict, baseline, observed = sight.verdict, sight.baseline, sight.observed
        open_now = self._book.open
        checked = {
            "at": moment(sight.now).isoformat(),
            "requests": observed.entry_calls,
            "services": len(observed.services),
            "normal_seconds": baseline.covered_s,
            "normal_requests": baseline.entry_calls,
            "open_incidents": [finding.id for finding in open_now],
        }
        if open_now:
            finding, *others = open_now
            return Answer("degraded", _summary(finding), finding, checked, tuple(others))
        if verdict.state == "degraded" and not verdict.suspects:
            return Answer("degraded", verdict.reason, None, checked)
        if verdict.state == "degraded":
            checked["watching"] = verdict.suspects[0].service
            summary = f"{verdict.suspects[0].service} strays from normal; not long enough yet to say that it is wrong"
            return Answer("nothing_wrong", summary, None, checked)
        return Answer(verdict.state, _plain(verdict), None, checked)


def _left(finding: Finding) -> Incident:
    """As an earlier run knew it."""
    began, ended = finding.reopened_at or finding.opened_at, finding.resolved_at
    return Incident(
        finding.id,
        finding.culprit.service,
        began.timestamp(),
        finding.updated_at.timestamp(),
        ended.timestamp() if ended is not None else None,
        finding.reopened,
    )


def _felt(sight: Sight, *, explained: bool) -> tuple[Felt, ...]:
    """The symptoms, the worst first."""
    verdict, queries = sight.verdict, RollupQueries(sight.baseline, sight.observed)
    found = ((symptom, felt_by_users(symptom, queries)) for symptom in verdict.symptoms)
    return tuple(
        Felt(
            symptom.service,
            symptom.route,
            symptom.signal,
            shown.statement,
            shown.sql,
            explained or verdict.blamed > 0,
            verdict.reason,
        )
        for symptom, shown in found
    )


def _plain(verdict: Verdict) -> str:
    start = "nothing is wrong" if verdict.state == "nothing_wrong" else "not enough data yet"
    return f"{start}: {verdict.reason}"


def _summary(finding: Finding) -> str:
    first = finding.ranking[0]
    share = f"{percent(finding.contribution.share)} of what was added is its doing"
    return f"{finding.title}. {first.service}: {first.why}; {share}."
