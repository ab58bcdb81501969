"""One evaluation after the other: reads both windows, judges, keeps the incidents' lives.

In: an open store and the time. Out: an Answer to "what is wrong?", and the events to tell others.
Blocking; one thread at a time.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from collector.store.client import Reader
from rootcause.explain.changes import changed, read_changes
from rootcause.explain.finding import Finding
from rootcause.explain.proof import felt, moment
from rootcause.incidents.casebook import Casebook, News, Seen
from rootcause.incidents.lifecycle import Incident, Lifecycle, Step
from rootcause.judge.diagnose import State, Verdict, diagnose
from rootcause.load.from_gauges import load_usage
from rootcause.load.from_rollups import load_rollups
from rootcause.load.horizon import around, horizon
from rootcause.load.window import Interval, Window

STRONG = 30.0
"""Failures this unlikely by chance (minus the log of the probability) open an incident at once."""
GAUGE_S = 60.0
"""Gauges come once in this time, and tell of it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What `/v1/why` says."""

    state: State
    summary: str
    finding: Finding | None = None
    checked: dict[str, Any] = field(default_factory=dict)


class Watch:
    """What goes on and what is normal; `book` keeps what was found."""

    def __init__(self, reader: Reader, book: Casebook) -> None:
        self._reader = reader
        self._book = book
        self._lives: Lifecycle | None = None
        self._past: list[Interval] = []
        self._normal: tuple[Interval, ...] | None = None

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
        changes = read_changes(self._reader, now)
        verdict = diagnose(baseline, observed, changed(changes))
        news: list[News] = []
        if verdict.state != "not_enough_data":
            blamed = tuple(suspect.service for suspect in verdict.suspects[: verdict.blamed])
            events = lives.judge(now, blamed, strong=_strong(verdict), new_id=_new_id())
            seen = Seen(verdict, baseline, observed, changes, now)
            self._past += [around(event.incident.opened_at, now) for event in events if event.step is Step.RESOLVED]
            news = [told for event in events if (told := self._book.record(event, seen)) is not None]
        news += self._book.released(now)
        self._hold_still(lives, intervals, now)
        self._book.write()
        return self._answer(verdict, baseline, observed, now), news

    def _resume(self) -> Lifecycle:
        """Takes up incidents that were open when the engine stopped, with what was normal then."""
        findings = self._book.resume()
        for finding in findings:
            start, end = finding.windows.baseline
            self._normal = (Interval(start.timestamp(), end.timestamp()),)
        self._lives = Lifecycle(
            Incident(f.id, f.culprit.service, f.opened_at.timestamp(), f.updated_at.timestamp()) for f in findings
        )
        return self._lives

    def _hold_still(self, lives: Lifecycle, intervals: Sequence[Interval], now: float) -> None:
        """Normal time stays what it was before the trouble, until the trouble is over."""
        self._normal = tuple(intervals) if lives.open or lives.suspicion else None
        oldest = horizon(now).normal[0].start
        self._past = [gap for gap in self._past if gap.end > oldest]

    def _answer(self, verdict: Verdict, baseline: Window, observed: Window, now: float) -> Answer:
        open_now = self._book.open
        checked = {
            "at": moment(now).isoformat(),
            "requests": observed.entry_calls,
            "services": len(observed.services),
            "normal_seconds": baseline.covered_s,
            "normal_requests": baseline.entry_calls,
            "open_incidents": [finding.id for finding in open_now],
        }
        if open_now:
            finding = open_now[0]
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
