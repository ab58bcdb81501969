"""Turns metrics as they were recorded into series that can be compared: what only grows becomes what it grows by.

In: series of normal time and of the incident. Out: one series for each service, instance and metric over all of it.
Samples of one moment are of one metric with several labels: they are added up. Counters are told by never falling but
to start anew; a sum and a count of one name become their mean. What was measured more often than the engine's buckets
are wide is averaged over these: what happens less than once a second is nothing in most of them.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import ceil, inf
from statistics import fmean, median

from rootcause.load.metric_names import Tells, tells
from rootcause.load.window import STEP_S, Interval, Series

LOOKS_BACK_S = 60.0
_FEWEST = 5
_RESETS = 0.02
"""Of all steps; whatever falls more often is no counter."""
_RISING = 0.5
"""Of all instances: what never moves may be anything."""
_GAP = 5.0
"""A step of so many usual ones is a gap: what was added in it says nothing of either end."""
_NAMED = ("_total", "_count", "_sum")

_Key = tuple[str, str, str]
_Curve = tuple[Sequence[float], Sequence[float]]
"""Times and values."""


@dataclass(slots=True)
class _Points:
    """Of each moment, in order, the sum of its samples and how many they are."""

    times: array[float] = field(default_factory=lambda: array("d"))
    sums: array[float] = field(default_factory=lambda: array("d"))
    many: array[int] = field(default_factory=lambda: array("l"))

    @classmethod
    def of(cls, parts: Sequence[Series]) -> _Points:
        found = cls()
        samples = sorted(sample for part in parts for sample in zip(part.times, part.values, strict=True))
        for time, value in samples:
            if found.times and found.times[-1] == time:
                found.sums[-1] += value
                found.many[-1] += 1
            else:
                found.times.append(time)
                found.sums.append(value)
                found.many.append(1)
        return found

    def means(self) -> array[float]:
        return array("d", (value / many for value, many in zip(self.sums, self.many, strict=True)))

    def steps(self) -> tuple[int, int]:
        """How often it rises and falls."""
        moves = [after - before for before, after in pairwise(self.sums)]
        return sum(move > 0 for move in moves), sum(move < 0 for move in moves)

    def rates(self) -> _Curve:
        """By the second, at the end of each step; none of a step in which it began anew."""
        usual = step_of(self.times)
        times, rates = array("d"), array("d")
        for at in range(1, len(self.times)):
            seconds, added = self.times[at] - self.times[at - 1], self.sums[at] - self.sums[at - 1]
            if added >= 0 and seconds <= _GAP * usual:
                times.append(self.times[at])
                rates.append(added / seconds)
        return times, rates


def comparable(*recorded: Iterable[Series]) -> tuple[Series, ...]:
    """All of it, gauges as they are, counters as rates by the second."""
    parts: dict[_Key, list[Series]] = defaultdict(list)
    for series in recorded:
        for one in series:
            parts[one.service, one.instance, one.metric].append(one)
    points = {key: _Points.of(found) for key, found in sorted(parts.items())}
    counters = _counters(points)
    found = {
        key: _in_steps(one.rates() if key[2] in counters else (one.times, one.means())) for key, one in points.items()
    }
    return tuple(Series(*key, *one) for key, one in _averaged(found))


def _in_steps(curve: _Curve) -> _Curve:
    """Means over steps of time, each told at its end, of what was measured more often."""
    times, values = curve
    if step_of(times) >= STEP_S:
        return curve
    inside: dict[float, list[float]] = defaultdict(list)
    for time, value in zip(times, values, strict=True):
        inside[ceil(time / STEP_S) * STEP_S].append(value)
    return array("d", inside), array("d", (fmean(some) for some in inside.values()))


def step_of(times: Sequence[float]) -> float:
    """Usual seconds from one sample to the next; endless where there are none two."""
    return median(after - before for before, after in pairwise(times)) if len(times) > 1 else inf


def _counters(points: dict[_Key, _Points]) -> set[str]:
    """Names of metrics that fall at no instance, and rise at most of them or are called what counters are; how often
    something began anew is counted whatever it is called."""
    steps: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for (_, _, metric), one in points.items():
        if len(one.times) >= _FEWEST:
            steps[metric].append((*one.steps(), len(one.times) - 1))
    return {
        metric
        for metric, found in steps.items()
        if all(falls <= max(1, _RESETS * of) and falls <= rises for rises, falls, of in found)
        and (
            metric.endswith(_NAMED)
            or tells(metric) is Tells.RESTARTS
            or sum(rises > of / 2 for rises, _, of in found) > _RISING * len(found)
        )
    }


def _averaged(series: Mapping[_Key, _Curve]) -> Iterator[tuple[_Key, _Curve]]:
    """With the mean in place of a sum and a count of the same name."""
    for key, (times, values) in series.items():
        service, instance, metric = key
        base = metric.removesuffix("_sum")
        count = series.get((service, instance, f"{base}_count")) if base != metric else None
        if count is None:
            yield key, (times, values)
        else:
            of = dict(zip(*count, strict=True))
            means = [(time, value / of[time]) for time, value in zip(times, values, strict=True) if of.get(time)]
            yield (service, instance, base), ([time for time, _ in means], [value for _, value in means])


def cut(series: Iterable[Series], within: Callable[[float], Sequence[Interval]]) -> tuple[Series, ...]:
    """The parts inside the intervals, which may differ by how far a sample looks back: as far as the one before it, and
    no further than LOOKS_BACK_S."""
    found = []
    for one in series:
        intervals = within(min(LOOKS_BACK_S, step_of(one.times)))
        inside = [at for at, time in enumerate(one.times) if any(time in part for part in intervals)]
        if inside:
            times, values = [one.times[at] for at in inside], [one.values[at] for at in inside]
            found.append(Series(one.service, one.instance, one.metric, times, values))
    return tuple(found)
