"""One evaluation after the other: reads both windows, judges, keeps the incidents' lives and writes them down.

In: an open store and the time. Out: an Answer to "what is wrong?", and the events to tell others.
Blocking; one thread at a time. Nothing is lost when the store is away: what could not be written is written later.
"""

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from collector.store.client import Reader
from collector.store.errors import QueryFailed, StoreUnavailable
from rootcause.changes import preceding, read_changes
from rootcause.diagnose import State, Verdict, diagnose
from rootcause.explain import explain, felt, moment
from rootcause.finding import Change, Finding
from rootcause.horizon import around, horizon
from rootcause.incidents import Event, Incident, Lifecycle, Step
from rootcause.journal import Journal
from rootcause.load_rollups import load_rollups
from rootcause.load_usage import load_usage
from rootcause.queries import RollupQueries
from rootcause.window import Interval, Window

log = logging.getLogger(__name__)

STRONG = 30.0
"""Failures this unlikely by chance (minus the log of the probability) open an incident at once."""
GAUGE_S = 60.0
"""Gauges come once in this time, and tell of it."""
REWRITE_S = 30.0
"""An open incident is written again this often at most."""


News = tuple[Literal["opened", "resolved"], Finding]
"""What others are told."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What `/v1/why` says."""

    state: State
    summary: str
    finding: Finding | None = None
    checked: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Seen:
    """Everything one evaluation looked at."""

    verdict: Verdict
    baseline: Window
    observed: Window
    changes: Sequence[Change]
    now: float


@dataclass(slots=True)
class _Kept:
    """The best explanation of an open incident so far: later windows may hold less of it."""

    finding: Finding
    score: float
    written_at: float


class Watch:
    """The live engine's state: open incidents, what is normal, and what still has to be written."""

    def __init__(self, reader: Reader, journal: Journal) -> None:
        self._reader = reader
        self._journal = journal
        self._lives: Lifecycle | None = None
        self._kept: dict[str, _Kept] = {}
        self._past: list[Interval] = []
        self._normal: tuple[Interval, ...] | None = None
        self._unwritten: dict[str, Finding] = {}

    @property
    def open(self) -> tuple[Finding, ...]:
        """Findings of open incidents, the oldest first."""
        return tuple(kept.finding for kept in self._kept.values())

    def evaluate(self, now: float) -> tuple[Answer, list[News]]:
        """One evaluation: the answer, and (event, finding) for each incident that opened or was resolved.

        Raises StoreUnavailable, QueryFailed; then nothing has changed but what was already written.
        """
        lives = self._lives or self._resume()
        looked_at = horizon(now, self._past)
        intervals = self._normal or looked_at.normal
        baseline = replace(load_rollups(self._reader, intervals), usage=load_usage(self._reader, intervals))
        question = looked_at.question
        observed = replace(
            load_rollups(self._reader, [question]),
            usage=load_usage(self._reader, [Interval(question.end - GAUGE_S, question.end)]),
        )
        verdict = diagnose(baseline, observed)
        changes = read_changes(self._reader, now) if verdict.suspects else []
        news: list[News] = []
        if verdict.state != "not_enough_data":
            blamed = tuple(suspect.service for suspect in verdict.suspects[: verdict.blamed])
            events = lives.judge(now, blamed, strong=_strong(verdict), new_id=_new_id())
            seen = _Seen(verdict, baseline, observed, changes, now)
            news = [told for event in events if (told := self._record(event, seen)) is not None]
        self._hold_still(lives, intervals, now)
        self._write()
        return self._answer(verdict, baseline, observed, now), news

    def _resume(self) -> Lifecycle:
        """Takes up incidents that were open when the engine stopped, with what was normal then."""
        findings = self._journal.open_incidents()
        incidents = []
        for finding in findings:
            self._kept[finding.id] = _Kept(finding, 0.0, 0.0)
            at = finding.opened_at.timestamp()
            incidents.append(Incident(finding.id, finding.culprit.service, at, finding.updated_at.timestamp()))
            start, end = finding.windows.baseline
            self._normal = (Interval(start.timestamp(), end.timestamp()),)
        self._lives = Lifecycle(incidents)
        return self._lives

    def _record(self, event: Event, seen: _Seen) -> News | None:
        """Keeps and queues the incident's new state; returns what to tell others, None for a mere update."""
        incident, now = event.incident, seen.now
        if event.step is Step.RESOLVED:
            kept = self._kept.pop(incident.id)
            self._past.append(around(incident.opened_at, now))
            done = {"state": "resolved", "resolved_at": moment(now), "updated_at": moment(now)}
            finding = self._unwritten[incident.id] = kept.finding.model_copy(update=done)
            log.info("resolved %s: %s", incident.id, finding.title)
            return "resolved", finding
        first = seen.verdict.suspects[0]
        kept_before = self._kept.get(incident.id)
        if first.service == incident.culprit and (kept_before is None or first.score >= kept_before.score):
            self._explain(incident, seen)
        kept = self._kept[incident.id]
        kept.finding = kept.finding.model_copy(update={"updated_at": moment(now)})
        if event.step is Step.OPENED or now - kept.written_at >= REWRITE_S:
            self._unwritten[incident.id] = kept.finding
            kept.written_at = now
        if event.step is Step.OPENED:
            log.info("opened %s: %s", incident.id, kept.finding.title)
            return "opened", kept.finding
        return None

    def _explain(self, incident: Incident, seen: _Seen) -> None:
        before = self._kept.get(incident.id)
        change = preceding(seen.changes, incident.culprit) if before is None else before.finding.change
        queries = RollupQueries(seen.baseline, seen.observed)
        finding = explain(
            seen.verdict, seen.baseline, seen.observed, queries, incident=incident.id, now=seen.now, change=change
        )
        finding = finding.model_copy(update={"opened_at": moment(incident.opened_at)})
        written = before.written_at if before is not None else 0.0
        self._kept[incident.id] = _Kept(finding, seen.verdict.suspects[0].score, written)

    def _hold_still(self, lives: Lifecycle, intervals: Sequence[Interval], now: float) -> None:
        """Normal time stays what it was before the trouble, until the trouble is over."""
        self._normal = tuple(intervals) if lives.open or lives.suspicion else None
        oldest = horizon(now).normal[0].start
        self._past = [gap for gap in self._past if gap.end > oldest]

    def _write(self) -> None:
        for id, finding in list(self._unwritten.items()):
            try:
                self._journal.write_incident(finding)
            except (StoreUnavailable, QueryFailed) as error:
                log.warning("incident %s is not written yet: %s", id, error)
                return
            del self._unwritten[id]

    def _answer(self, verdict: Verdict, baseline: Window, observed: Window, now: float) -> Answer:
        checked = {
            "at": moment(now).isoformat(),
            "requests": observed.entry_calls,
            "services": len(observed.services),
            "normal_seconds": baseline.covered_s,
            "normal_requests": baseline.entry_calls,
            "open_incidents": [finding.id for finding in self.open],
        }
        if self.open:
            finding = self.open[0]
            return Answer("degraded", _summary(finding), finding, checked)
        if verdict.state == "degraded" and not verdict.suspects:
            return Answer("degraded", verdict.reason, None, checked)
        if verdict.state == "degraded":
            checked["watching"] = verdict.suspects[0].service
            summary = f"{verdict.suspects[0].service} strays from normal; not long enough yet to say that it is wrong"
            return Answer("nothing_wrong", summary, None, checked)
        return Answer(verdict.state, _plain(verdict), None, checked)


def _strong(verdict: Verdict) -> bool:
    if not verdict.suspects:
        return False
    symptom = felt(verdict)
    return symptom.signal == "errors" and symptom.strength >= STRONG


def _new_id() -> str:
    return uuid.uuid4().hex[:12]


def _plain(verdict: Verdict) -> str:
    start = "nothing is wrong" if verdict.state == "nothing_wrong" else "not enough data yet"
    return f"{start}: {verdict.reason}"


def _summary(finding: Finding) -> str:
    first = finding.ranking[0]
    share = f"{finding.contribution.share:.0%} of what was added is its doing"
    return f"{finding.title}. {first.service}: {first.why}; {share}."
