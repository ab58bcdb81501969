"""Which stretch of time is in question, and which counts as normal.

Pure: `now` is an argument. All boundaries lie on buckets. Normal time ends before the time in question begins, leaves
out incidents with their run-up and recovery, and stands still while something is suspected.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, floor

from rootcause.load.window import STEP_S, Interval

LONGEST_NORMAL_S = 600.0
ARRIVAL_S = 1.5
"""Spans need this long from a request's end to the roll-ups."""


@dataclass(frozen=True, slots=True)
class Horizon:
    """Normal time in pieces, and the time in question."""

    normal: tuple[Interval, ...]
    question: Interval


def horizon(now: float, excluded: Iterable[Interval] = ()) -> Horizon:
    """The current bucket and the one before are in question; up to ten minutes before are normal, with a bucket
    between.

    With 10 s buckets a fault is in question at once and fills a whole bucket 10 to 20 s after its start.
    """
    current = floor((now - ARRIVAL_S) / STEP_S) * STEP_S
    question = Interval(current - STEP_S, current + STEP_S)
    normal = [Interval(question.start - STEP_S - LONGEST_NORMAL_S, question.start - STEP_S)]
    for gap in excluded:
        normal = [piece for part in normal for piece in _without(part, gap)]
    return Horizon(tuple(normal), question)


def around(start: float, end: float) -> Interval:
    """An incident's time with its run-up and recovery, on bucket boundaries."""
    return Interval(floor(start / STEP_S - 3) * STEP_S, ceil(end / STEP_S + 1) * STEP_S)


def _without(part: Interval, gap: Interval) -> list[Interval]:
    before = Interval(part.start, min(part.end, gap.start))
    after = Interval(max(part.start, gap.end), part.end)
    return [piece for piece in (before, after) if piece.seconds > 0]
