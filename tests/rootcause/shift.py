"""The engine on watch over simulated traffic: evaluates every five seconds, sees what would have arrived by then.

In: spans of simulated requests. Out: incidents with the moment they opened. No store, no clock: an hour takes seconds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rootcause.incidents.lifecycle import Step
from rootcause.incidents.vigil import Sight, Vigil
from rootcause.judge.diagnose import Verdict, turned_to
from rootcause.load.from_spans import window_of
from rootcause.load.horizon import ARRIVAL_S
from rootcause.load.spans import Span
from rootcause.load.window import Interval, Window

EVERY_S = 5.0
MANY = 1_000


class Recording:
    """Spans that come in as time goes on: those of a request when all of it is over."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self._spans = sorted(spans, key=lambda span: span.start_ns)
        self._starts = [span.start_ns / 1e9 for span in self._spans]
        self._over: dict[str, float] = {}
        for span in self._spans:
            self._over[span.trace] = max(self._over.get(span.trace, 0.0), span.end_ns / 1e9)
        self._normal: tuple[tuple[Interval, ...], Window] = ((), Window(()))
        self.now = 0.0

    def load(self, requests: Sequence[Interval], gauges: Sequence[Interval]) -> Window:
        """The window as of `now`; normal time, which is complete, is not added up twice."""
        if requests == self._normal[0]:
            return self._normal[1]
        window = window_of(self._seen(requests), requests)
        if isinstance(requests, tuple):
            self._normal = requests, window
        return window

    def _seen(self, intervals: Sequence[Interval]) -> list[Span]:
        since, until = intervals[0].start - EVERY_S, intervals[-1].end + EVERY_S
        near = self._spans[bisect_left(self._starts, since) : bisect_left(self._starts, until)]
        return [span for span in near if self._over[span.trace] + ARRIVAL_S <= self.now]


@dataclass(frozen=True, slots=True)
class Opened:
    """An incident, and what it said when it opened."""

    at: float
    service: str
    verdict: Verdict


def watch(
    recording: Recording, start: float, seconds: float, until: int = MANY, every_s: float = EVERY_S
) -> list[Opened]:
    """Incidents that opened from `start` on, every evaluation judged as live; stops after so many incidents."""
    vigil = Vigil(recording.load)
    opened: list[Opened] = []
    evaluations = 0
    while evaluations * every_s < seconds and len(opened) < until:
        recording.now = start + evaluations * every_s
        evaluations += 1
        sight = vigil.compare(recording.now)
        opened += [_opened(event.incident.culprit, sight) for event in vigil.judge(sight) if event.step is Step.OPENED]
    return opened


def _opened(service: str, sight: Sight) -> Opened:
    return Opened(sight.now, service, turned_to(service, sight.verdict, sight.baseline, sight.observed))
