"""Which windows are compared, and what comes of it for incidents.

In: the time, a way to load windows. Out: what one evaluation saw, and what happened to which incident. Never: a store
or a clock of its own, so that an hour can be gone through in seconds.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass, replace

from rootcause.explain.proof import felt
from rootcause.incidents.lifecycle import Event, Incident, Lifecycle, Step
from rootcause.judge.diagnose import Verdict, diagnose
from rootcause.load.horizon import around, horizon
from rootcause.load.remembered import Remembered
from rootcause.load.window import Interval, Window
from rootcause.load.window import Step as Told

STRONG = 30.0
"""Failures this unlikely by chance (minus the log of the probability) open an incident at once."""
GAUGE_S = 60.0
"""Gauges come once in this time, and tell of it; complaints are counted over it."""

Load = Callable[[Sequence[Interval], Sequence[Interval]], Window]
"""The requests of the first intervals, with the gauges of the second."""
Listen = Callable[[Sequence[Interval], Interval], tuple[tuple[Told, ...], tuple[Told, ...]]]
"""What services complain of in normal time, and in the time in question."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What one evaluation compared, and what it thinks of it."""

    verdict: Verdict
    baseline: Window
    observed: Window
    now: float


class Vigil:
    """Goes on from one evaluation to the next: normal time stands still while something is suspected or open."""

    def __init__(
        self,
        load: Load,
        already_open: Iterable[Incident] = (),
        normal: tuple[Interval, ...] | None = None,
        listen: Listen | None = None,
        load_normal: Load | None = None,
    ) -> None:
        """`normal` is what was normal before the incidents that are open already; `load_normal` loads long windows,
        where less of them will do."""
        self._load = load
        self._remembered = Remembered(load_normal or load)
        self._listen = listen
        self._lives = Lifecycle(already_open)
        self._past: list[Interval] = []
        self._normal = normal

    def compare(self, now: float, changed: Set[str] = frozenset()) -> Sight:
        """Looks, and changes nothing; `changed` are services that somebody changed just before. Raises what loading
        raises."""
        looked_at = horizon(now, self._past)
        intervals, question = self._normal or looked_at.normal, looked_at.question
        recent = Interval(question.end - GAUGE_S, question.end)
        baseline, observed = self._remembered.window(intervals), self._load([question], [recent])
        verdict = diagnose(baseline, observed, changed)
        if self._listen is not None and verdict.state == "degraded":
            # Complaints support a verdict and make none, and to hear them costs more than all the rest.
            usual, told = self._listen(baseline.intervals, recent)
            baseline = replace(baseline, steps=(*baseline.steps, *usual))
            observed = replace(observed, steps=(*observed.steps, *told))
            verdict = diagnose(baseline, observed, changed)
        return Sight(verdict, baseline, observed, now)

    def judge(self, sight: Sight) -> list[Event]:
        """What that means for incidents."""
        verdict, now = sight.verdict, sight.now
        events: list[Event] = []
        if verdict.state != "not_enough_data":
            blamed = tuple(suspect.service for suspect in verdict.suspects[: verdict.blamed])
            events = self._lives.judge(now, blamed, strong=_strong(verdict), new_id=_new_id)
        self._past += [around(event.incident.opened_at, now) for event in events if event.step is Step.RESOLVED]
        self._normal = sight.baseline.intervals if self._lives.busy else None
        oldest = horizon(now).normal[0].start
        self._past = [gap for gap in self._past if gap.end > oldest]
        return events


def _strong(verdict: Verdict) -> bool:
    if not verdict.suspects:
        return False
    symptom = felt(verdict)
    return symptom.signal == "errors" and symptom.strength >= STRONG


def _new_id() -> str:
    return uuid.uuid4().hex[:12]
