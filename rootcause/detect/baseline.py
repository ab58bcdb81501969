"""What is normal for one figure, how far it strays by itself, and how surprising what was observed is.

In: means per bucket of normal time and of the time in question. Out: a shift, with its size and its z-score.
Robust on both sides: one hiccup (a cold start, a garbage collection) in one bucket neither hides a fault nor looks
like one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil, sqrt
from statistics import median

MIN_CALLS = 5
"""Fewer calls than this on either side say nothing about durations."""

_MAD_TO_SD = 1.4826
_OUTLIERS = 0.1
_DRIFT = 0.05
_ENOUGH_FOR_A_MEDIAN = 3
"""Of two buckets the one with more calls would be typical: of a fault, and of a hiccup."""
_HICCUP_S = 60.0
"""What is over sooner than this is a cold start, a garbage collection, a lost packet."""
_TIMER_MS = 0.1


@dataclass(frozen=True, slots=True)
class Sample:
    """`calls` measurements of one bucket with the mean `mean_ms`."""

    calls: int
    mean_ms: float


@dataclass(frozen=True, slots=True)
class Normal:
    """The mean of `calls` measurements; `call_sd` spreads single calls, `drift_sd` moves whole windows and does not
    average out over calls. All in ms."""

    calls: int
    mean_ms: float
    call_sd: float
    drift_sd: float

    def variance_of_sum(self, calls: int) -> float:
        """Of the sum of `calls` new measurements less `calls` times this mean, drift apart, in ms²."""
        return (calls * self.call_sd) ** 2 * (1 / calls + 1 / self.calls)


@dataclass(frozen=True, slots=True)
class Shift:
    """How a mean moved: `excess_ms` is the added time of all observed calls together, `z` how many deviations
    that is."""

    baseline_ms: float
    observed_ms: float
    calls: int
    excess_ms: float
    z: float

    @property
    def ratio(self) -> float:
        """Added time in parts of the normal time."""
        return (self.observed_ms - self.baseline_ms) / max(self.baseline_ms, _TIMER_MS)


def normal_of(samples: Sequence[Sample], call_sd: float = 0.0) -> Normal | None:
    """Normal over the buckets of normal time, None with too few calls.

    `call_sd` is the spread of single calls where quantiles tell it; the spread between buckets can only raise it.
    """
    calls = sum(sample.calls for sample in samples)
    if calls < MIN_CALLS:
        return None
    centre = typical(samples)
    strays = sorted(sqrt(sample.calls) * abs(sample.mean_ms - centre) for sample in samples)
    kept = strays[: max(1, len(strays) - max(int(len(strays) * _OUTLIERS), len(strays) > 4))]
    between = max(_MAD_TO_SD * median(strays), sqrt(sum(stray**2 for stray in kept) / len(kept)))
    spread = max(between, call_sd)
    mean = min(_mean(samples), centre + spread)
    return Normal(calls, mean, spread, drift_ms(mean))


def drift_ms(mean_ms: float) -> float:
    """Floor of any spread: hosts and timers differ by 5 % and a tenth of a millisecond from one hour to the next."""
    return _DRIFT * abs(mean_ms) + _TIMER_MS


def shift_of(strata: Sequence[tuple[Normal, dict[float, Sample]]]) -> Shift | None:
    """The shift over several strata (routes, say) that are each compared with their own normal, so that a changed mix
    of them is no shift. Each stratum brings its observed samples by bucket. None with too few calls.

    The excess is that of a typical bucket, or of buckets in a row that last, when it is smaller than the mean's: what a
    single bucket did is not a shift, while a fault may begin and end inside the time in question.
    """
    excess: dict[float, float] = {}
    count: dict[float, int] = {}
    expected = variance = drift = 0.0
    for normal, samples in strata:
        calls = sum(sample.calls for sample in samples.values())
        if calls == 0:
            continue
        expected += calls * normal.mean_ms
        variance += normal.variance_of_sum(calls)
        drift += calls * normal.drift_sd
        for start, sample in samples.items():
            excess[start] = excess.get(start, 0.0) + sample.calls * (sample.mean_ms - normal.mean_ms)
            count[start] = count.get(start, 0) + sample.calls
    total = sum(count.values())
    if total < MIN_CALLS:
        return None
    per_call = {start: Sample(count[start], excess[start] / count[start]) for start in sorted(count)}
    mean, usual = _mean(list(per_call.values())), typical(list(per_call.values()))
    if len(per_call) < _ENOUGH_FOR_A_MEDIAN:
        usual = min(sample.mean_ms for sample in per_call.values())
    lasting = max(0.0, min(mean, max(usual, _lasting(per_call)))) if mean > 0 else min(0.0, max(mean, usual))
    added = lasting * total
    return Shift(expected / total, expected / total + lasting, total, added, added / sqrt(variance + drift**2))


def at_least(shift: Shift, z: float) -> Shift:
    """The shift, if it is one for the worse, as surely as another test of the same says."""
    return replace(shift, z=max(shift.z, z)) if shift.excess_ms > 0 else shift


def common_factor(shifts: Iterable[Shift]) -> float:
    """How many times longer everything takes, 1 when it does not: the lower median over services or links.

    A busy host or network slows down everyone alike, and is nobody's own doing.
    """
    ratios = sorted(1 + shift.ratio for shift in shifts if shift.baseline_ms >= 0)
    return max(1.0, ratios[(len(ratios) - 1) // 2]) if ratios else 1.0


def common_wait(waits: Mapping[tuple[str, str], Shift]) -> float:
    """How many times longer all calls take, by their ends. Each callee has one vote, that of its least slowed caller: a
    database that most links lead to is not the network."""
    least: dict[str, Shift] = {}
    for (_, callee), shift in waits.items():
        if callee not in least or shift.ratio < least[callee].ratio:
            least[callee] = shift
    return common_factor(least.values())


def beyond(shift: Shift, factor: float) -> Shift:
    """What is left of a shift when everything takes `factor` times longer."""
    usual = shift.baseline_ms + (factor - 1) * max(0.0, shift.baseline_ms)
    left = max(0.0, shift.observed_ms - usual) if shift.excess_ms > 0 else 0.0
    added = shift.observed_ms - shift.baseline_ms
    kept = left / added if added > 0 else 0.0
    return Shift(usual, usual + left, shift.calls, shift.excess_ms * kept, shift.z * kept)


def typical(samples: Sequence[Sample]) -> float:
    """The median of the means, each weighing as many calls as it holds."""
    ordered = sorted(samples, key=lambda sample: sample.mean_ms)
    half, seen = sum(sample.calls for sample in ordered) / 2, 0
    for sample in ordered:
        seen += sample.calls
        if seen >= half:
            return sample.mean_ms
    raise ValueError("no samples")


def _lasting(samples: Mapping[float, Sample]) -> float:
    """The most that enough buckets in a row, by their start, have all reached: a third of them, for a minute."""
    starts = list(samples)
    step = min((after - before for before, after in pairwise(starts)), default=_HICCUP_S)
    run = min(len(starts), max(2, ceil(len(starts) / 3), ceil(_HICCUP_S / step)))
    rows = [starts[at : at + run] for at in range(len(starts) - run + 1)]
    return max(min(samples[start].mean_ms for start in row) for row in rows)


def _mean(samples: Sequence[Sample]) -> float:
    return sum(sample.calls * sample.mean_ms for sample in samples) / sum(sample.calls for sample in samples)
