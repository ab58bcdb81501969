"""Keeps the findings of incidents: explains them ever better, takes in what people say of them, writes them down.

In: what happened to an incident, what an evaluation saw; acknowledgements, notes, silences. Out: rows of the store, and
what others are to be told. Any thread; none that only looks waits for the store. Nothing is lost when the store is
away: it is written later.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from collector.store.errors import QueryFailed, StoreUnavailable
from rootcause.explain.changes import preceding
from rootcause.explain.detail import UNKNOWN, Detail
from rootcause.explain.finding import Finding, Note
from rootcause.explain.proof import explain, moment
from rootcause.explain.queries import RollupQueries
from rootcause.incidents.journal import Journal
from rootcause.incidents.lifecycle import REOPENED_WITHIN_S, Event, Incident, Step
from rootcause.incidents.silences import Silence, Silences
from rootcause.judge.diagnose import Verdict, turned_to
from rootcause.load.changes import Change
from rootcause.load.looked import NO_SAMPLE, Sample
from rootcause.load.window import Window

log = logging.getLogger(__name__)

_STAYS = ("opened_at", "reopened", "reopened_at", "acknowledged", "notes", "held_back", "updated_at")
"""Of a finding, however it is explained."""
REWRITE_S = 30.0
"""An open incident is written again this often at most."""

News = tuple[Literal["opened", "reopened", "resolved"], Finding]
"""What others are told."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything one evaluation looked at."""

    verdict: Verdict
    baseline: Window
    observed: Window
    changes: Sequence[Change]
    now: float
    details: Mapping[str, Detail] = field(default_factory=dict)
    """What was found of single requests, by culprit."""
    sample: Sample = NO_SAMPLE


@dataclass(slots=True)
class _Kept:
    """The best explanation of an open incident so far: later windows may hold less of it."""

    finding: Finding
    score: float
    written_at: float
    detail: Detail = UNKNOWN


class Casebook:
    """Open incidents with their findings, the silences, and what still has to be written."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._memory = threading.Lock()
        self._writing = threading.Lock()  # taken first, and held while the store is asked: rows of one incident in turn
        self._kept: dict[str, _Kept] = {}
        self._ended: dict[str, Finding] = {}  # those that may be reopened
        self._silences = Silences()
        self._unwritten: dict[str, Finding] = {}

    @property
    def open(self) -> tuple[Finding, ...]:
        """Findings of open incidents, the oldest first."""
        with self._memory:
            return tuple(kept.finding for kept in self._kept.values())

    def resume(self, now: float) -> list[Finding]:
        """Takes up what an earlier run left: its open incidents, and those that may be reopened. Raises
        StoreUnavailable, QueryFailed."""
        with self._writing:
            found = self._journal.open_incidents(moment(now - REOPENED_WITHIN_S))
            findings = sorted(found, key=lambda finding: finding.opened_at)
            silences = Silences(self._journal.silences())
            with self._memory:
                self._silences = silences
                self._kept = {one.id: _Kept(one, 0.0, 0.0) for one in findings if one.state == "open"}
                self._ended = {one.id: one for one in findings if one.state == "resolved"}
            return findings

    def record(self, event: Event, seen: Seen) -> News | None:
        """Keeps and queues the incident's new state; returns what to tell others, None for a mere update."""
        with self._memory:
            if event.step is Step.RESOLVED:
                return self._resolve(event.incident, seen.now)
            return self._goes_on(event, seen)

    def released(self, now: float) -> list[News]:
        """Open incidents of which nobody was told, and whose silence is over."""
        news: list[News] = []
        with self._memory:
            for kept in self._kept.values():
                finding = kept.finding
                if finding.held_back and not self._silences.cover(finding.culprit.service, moment(now)):
                    kept.finding = self._unwritten[finding.id] = _changed(finding, moment(now), held_back=False)
                    news.append(("opened", kept.finding))
        return news

    def acknowledge(self, id: str, said: Note) -> Finding | None:
        """Somebody looks after it. None when there is no incident of this id. Raises StoreUnavailable, QueryFailed."""
        return self._change(id, said.time, lambda finding: {"acknowledged": said})

    def note(self, id: str, said: Note) -> Finding | None:
        """Adds a note. None when there is no incident of this id. Raises StoreUnavailable, QueryFailed."""
        return self._change(id, said.time, lambda finding: {"notes": (*finding.notes, said)})

    def silence(self, silence: Silence, now: float) -> None:
        """Silences a service, or ends that. Raises StoreUnavailable, QueryFailed; then nothing has changed."""
        with self._writing:
            self._journal.write_silence(silence, moment(now))
            with self._memory:
                self._silences.put(silence)

    def silenced(self, service: str, now: float) -> bool:
        """Whether nobody is to be told of what the service causes."""
        with self._memory:
            return self._silences.cover(service, moment(now))

    def silences(self, now: float) -> list[Silence]:
        """Those in force."""
        with self._memory:
            return self._silences.in_force(moment(now))

    def write(self) -> None:
        """Writes down what changed, as far as the store takes it."""
        with self._writing:
            with self._memory:
                unwritten = list(self._unwritten.items())
            for id, finding in unwritten:
                try:
                    self._journal.write_incident(finding)
                except (StoreUnavailable, QueryFailed) as error:
                    log.warning("incident %s is not written yet: %s", id, error)
                    return
                with self._memory:
                    if self._unwritten[id] is finding:
                        del self._unwritten[id]

    def _resolve(self, incident: Incident, now: float) -> News | None:
        kept = self._kept.pop(incident.id)
        finding = _changed(kept.finding, moment(now), state="resolved", resolved_at=moment(now))
        self._unwritten[incident.id] = self._ended[incident.id] = finding
        self._ended = {id: one for id, one in self._ended.items() if _may_reopen(one, now)}
        log.info("resolved %s: %s", incident.id, finding.title)
        return None if finding.held_back else ("resolved", finding)

    def _goes_on(self, event: Event, seen: Seen) -> News | None:
        incident, now = event.incident, seen.now
        before = self._kept.get(incident.id)
        score = next(s.score for s in seen.verdict.suspects if s.service == incident.culprit)
        better = before is None or score >= before.score or incident.culprit in seen.details
        if before is None or (better and not _poorer(before.finding, seen.verdict)):
            self._explain(incident, seen, score)
        kept = self._kept[incident.id]
        opened = event.step in (Step.OPENED, Step.REOPENED)
        kept.finding = _changed(kept.finding, moment(now))
        if opened:
            held_back = self._silences.cover(incident.culprit, moment(now))
            kept.finding = kept.finding.model_copy(update={"held_back": held_back})
            silently = " in silence" if held_back else ""
            log.info("%s %s%s: %s", event.step.value, incident.id, silently, kept.finding.title)
        if opened or now - kept.written_at >= REWRITE_S:
            self._unwritten[incident.id] = kept.finding
            kept.written_at = now
        if not opened or kept.finding.held_back:
            return None
        return ("opened" if event.step is Step.OPENED else "reopened", kept.finding)

    def _explain(self, incident: Incident, seen: Seen, score: float) -> None:
        before = self._kept.get(incident.id)
        change = preceding(seen.changes, incident.culprit) if before is None else before.finding.change
        queries = RollupQueries(seen.baseline, seen.observed)
        detail = seen.details.get(incident.culprit, before.detail if before is not None else UNKNOWN)
        verdict = turned_to(incident.culprit, seen.verdict, seen.baseline, seen.observed)
        finding = explain(
            verdict,
            seen.baseline,
            seen.observed,
            queries,
            incident=incident.id,
            now=seen.now,
            change=change,
            sample=seen.sample,
            detail=detail,
        )
        finding = finding.model_copy(update={"opened_at": moment(incident.opened_at)})
        if before is not None:
            # Of the onset what was seen first, for that was nearest to it.
            finding = finding.model_copy(update={"onset": before.finding.onset or finding.onset})
            finding = finding.model_copy(update={name: getattr(before.finding, name) for name in _STAYS})
        elif (ended := self._ended.pop(incident.id, None)) is not None:
            finding = _again(ended, finding, incident)
        written = before.written_at if before is not None else 0.0
        self._kept[incident.id] = _Kept(finding, score, written, detail)

    def _change(self, id: str, now: datetime, change: Callable[[Finding], dict[str, Any]]) -> Finding | None:
        with self._writing:
            with self._memory:
                finding = self._held(id)
            finding = finding or self._journal.incident(id)
            if finding is None:
                return None
            changed = _changed(finding, now, **change(finding))
            self._journal.write_incident(changed)
            with self._memory:
                held = self._held(id)
                if held is None or held is finding:
                    self._unwritten.pop(id, None)
                else:  # it went on while the store was asked
                    changed = self._unwritten[id] = _changed(held, changed.updated_at, **change(held))
                if id in self._kept:
                    self._kept[id].finding = changed
                if id in self._ended:
                    self._ended[id] = changed
            return changed

    def _held(self, id: str) -> Finding | None:
        """What memory has of an incident, newer than any row."""
        kept = self._kept.get(id)
        return kept.finding if kept else self._unwritten.get(id)


def _may_reopen(finding: Finding, now: float) -> bool:
    return finding.resolved_at is not None and now - finding.resolved_at.timestamp() <= REOPENED_WITHIN_S


def _again(ended: Finding, anew: Finding, incident: Incident) -> Finding:
    """The same incident, explained anew. Whoever looked after it took it for over, so somebody has to again."""
    said = ended.acknowledged
    looked = () if said is None else (said.model_copy(update={"text": said.text or "looked after it"}),)
    update = {
        "opened_at": ended.opened_at,
        "reopened_at": anew.opened_at,
        "reopened": incident.relapses,
        "updated_at": max(anew.updated_at, ended.updated_at),
        "notes": (*ended.notes, *looked),
    }
    return anew.model_copy(update=update)


def _poorer(finding: Finding, verdict: Verdict) -> bool:
    """Whether users are in the finding and no more in the verdict, for what entry points record comes late."""
    culprit = finding.culprit.service
    return finding.symptom.service != culprit and all(symptom.service == culprit for symptom in verdict.symptoms)


def _changed(finding: Finding, now: datetime, **change: Any) -> Finding:
    """Later than it was, also when clocks of threads disagree: only the newest row of an incident holds."""
    at = max(now, finding.updated_at + timedelta(milliseconds=1))
    return finding.model_copy(update={**change, "updated_at": at})
