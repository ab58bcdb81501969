"""Which windows are compared, and what comes of it for incidents.

In: the time, a way to load windows. Out: what one evaluation saw, and what happened to which incident. Never: a store
or a clock of its own, so that an hour can be gone through in seconds.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
from math import inf

from rootcause.attribute.on_path import with_path
from rootcause.explain.headline import felt
from rootcause.incidents.lifecycle import Event, Incident, Lifecycle, Step
from rootcause.judge.diagnose import Verdict, diagnose
from rootcause.judge.releases import Releases
from rootcause.judge.unfelt import unfelt
from rootcause.load.horizon import around, horizon
from rootcause.load.looked import NO_SAMPLE, Looked, Sample
from rootcause.load.remembered import Remembered
from rootcause.load.window import Interval, Window

STRONG = 30.0
"""Failures this unlikely by chance (minus the log of the probability) open an incident at once."""
GAUGE_S = 60.0
"""Gauges come once in this time, and tell of it."""

GLANCE_S = 15.0
"""So often a sample of requests is looked into though nobody feels anything: what is swallowed inside is seen there."""

Load = Callable[[Sequence[Interval], Sequence[Interval]], Window]
"""The requests of the first intervals, with the gauges of the second."""
Closer = Callable[[Window, Window, float], Looked]
"""Both windows with what costs more to be read than all the rest, as of a moment."""

Changed = Callable[[], Set[str]]
"""Services that somebody changed just before; asked once something strays, or is looked into."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What one evaluation compared, and what it thinks of it."""

    verdict: Verdict
    baseline: Window
    observed: Window
    now: float
    sample: Sample = NO_SAMPLE


class Vigil:
    """Goes on from one evaluation to the next: normal time stands still while something is suspected or open."""

    def __init__(
        self,
        load: Load,
        known: Iterable[Incident] = (),
        normal: tuple[Interval, ...] | None = None,
        closer: Closer | None = None,
        load_normal: Load | None = None,
        glance: Closer | None = None,
    ) -> None:
        """`known` are incidents that an earlier run left; `normal` is what was normal before those that are open;
        `load_normal` loads long windows, where less of them will do; `glance` looks into requests only."""
        self._load = load
        self._remembered = Remembered(load_normal or load)
        self._closer = closer
        self._glance = glance
        self._glance_at = inf
        self._releases = Releases()
        self._lives = Lifecycle(known)
        self._past: list[Interval] = []
        self._normal = normal

    def compare(self, now: float, changed: Changed = frozenset) -> Sight:
        """Looks, and changes nothing of incidents. Raises what loading raises, and `changed`."""
        looked_at = horizon(now, self._past)
        intervals, question = self._normal or looked_at.normal, looked_at.question
        recent = Interval(question.end - GAUGE_S, question.end)
        baseline, observed = self._remembered.window(intervals), self._load([question], [recent])
        # Who was changed orders suspects, and makes none.
        verdict = diagnose(baseline, observed)
        # Not at once: an engine that has just begun has to read everything else.
        self._glance_at = min(self._glance_at, now + GLANCE_S)
        if self._glance is not None and verdict.state == "nothing_wrong" and now >= self._glance_at:
            return self._glanced(Sight(verdict, baseline, observed, now), changed, self._glance)
        if verdict.state != "degraded":
            return Sight(verdict, baseline, observed, now)
        if self._closer is None:
            return Sight(diagnose(baseline, observed, changed()), baseline, observed, now)
        found = self._closer(baseline, observed, now)
        observed = with_path(found.observed, found.sample)
        verdict = diagnose(found.baseline, observed, changed(), found.days)
        return Sight(verdict, found.baseline, observed, now, found.sample)

    def _glanced(self, sight: Sight, changed: Changed, glance: Closer) -> Sight:
        """What is wrong inside of requests, though nobody feels it; looked at each time while something is."""
        found = glance(sight.baseline, sight.observed, sight.now)
        released = self._releases.lately(sight.observed, sight.now)
        by_people = changed()
        baseline, observed = unfelt(found.baseline, found.observed, by_people | released)
        verdict = diagnose(baseline, observed, by_people)
        if verdict.suspects:
            return Sight(verdict, baseline, observed, sight.now, found.sample)
        self._glance_at = sight.now + (0.0 if self._lives.busy else GLANCE_S)
        return sight

    def judge(self, sight: Sight) -> list[Event]:
        """What that means for incidents."""
        verdict, now = sight.verdict, sight.now
        events: list[Event] = []
        if verdict.state != "not_enough_data":
            blamed = one_cause(verdict, {incident.culprit for incident in self._lives.open})
            events = self._lives.judge(now, blamed, strong=_strong(verdict), new_id=_new_id)
        self._past += [around(event.incident.opened_at, now) for event in events if event.step is Step.RESOLVED]
        self._normal = sight.baseline.intervals if self._lives.busy else None
        oldest = horizon(now).normal[0].start
        self._past = [gap for gap in self._past if gap.end > oldest]
        return events


def one_cause(verdict: Verdict, open_now: Set[str]) -> tuple[str, ...]:
    """Who is blamed, the best first; of several services in the place where they are slow only one, the one that
    has an incident already when there is such a one."""
    blamed = [suspect.service for suspect in verdict.suspects[: verdict.blamed]]
    there = [service for service in blamed if verdict.place is not None and service in verdict.place.services]
    kept = next((service for service in there if service in open_now), there[0] if there else "")
    first = blamed.index(there[0]) if there else 0
    alone = [service for service in blamed if service not in there]
    return (*alone[:first], kept, *alone[first:]) if there else tuple(blamed)


def _strong(verdict: Verdict) -> bool:
    if not verdict.suspects:
        return False
    symptom = felt(verdict)
    return symptom.signal == "errors" and symptom.strength >= STRONG


def _new_id() -> str:
    return uuid.uuid4().hex[:12]
