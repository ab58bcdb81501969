"""Which metrics of which services are further from normal, for a while, than any of their kind ever was.

In: series of both windows. Out: by service, the metrics that stray. How far is measured in what the very series did by
itself before; what is rare is measured over all services, for a metric that leaps now and then somewhere tells
nothing when it leaps once more (the idea of conformal prediction: V. Vovk et al., "Algorithmic Learning in a Random
World", 2005). What all services have in common is nobody's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, inf
from statistics import median, quantiles

from rootcause.load.metric_names import Tells, tells
from rootcause.load.window import Series, Window

CLEAR = 5.0
"""Deviations from normal below which nothing strays, as for latency."""
BEYOND = 2.0
"""Times as far as anything of its kind went by itself."""
_NOISE = 0.05
"""Part of the level that any measure may be off by."""
_FEWEST = 5
_ROUNDS = 4
"""Normal time is cut into as many pieces at least, to know how far they differ."""
_UNNOTICED = 0.1
"""Chance, in a time like the one in question, that any service strays as far by any kind of metric."""
_ENOUGH_OTHERS = 4
_RARE = 0.01
"""Part of its own normal time that a series may have spent further out: a start, an hour nobody told of."""


@dataclass(frozen=True, slots=True)
class Stray:
    """`observed` lasted, where `baseline` is usual: `times` as far from it as any service's `metric` ever was from its
    own. `rises` or falls."""

    service: str
    instance: str
    metric: str
    tells: Tells
    baseline: float
    observed: float
    times: float
    rises: bool

    @property
    def grown(self) -> float:
        """`observed` in parts of `baseline`; `times` where that is nothing."""
        return self.observed / self.baseline if self.baseline > 0 else self.times


@dataclass(frozen=True, slots=True)
class _Compared:
    """One series in one direction: how far it is out now, and its pieces of normal time were, in its own spread."""

    series: Series
    usual: float
    level: float
    out: float
    before: tuple[float, ...]


def strays(baseline: Window, observed: Window) -> dict[str, tuple[Stray, ...]]:
    """By service, the one that is furthest out first."""
    before, now = _by_metric(baseline.series), _by_metric(observed.series)
    known = {metric: kind for metric in now.keys() & before.keys() if (kind := tells(metric)) is not None}
    found: dict[str, list[Stray]] = defaultdict(list)
    for metric, kind in sorted(known.items()):
        for rises in (True, False):
            for stray in _strays(kind, before[metric], now[metric], len(set(known.values())), rises=rises):
                found[stray.service].append(stray)
    return {
        service: tuple(sorted(several, key=lambda one: (-one.times, one.metric))) for service, several in found.items()
    }


def _by_metric(series: Iterable[Series]) -> dict[str, list[Series]]:
    found: dict[str, list[Series]] = defaultdict(list)
    for one in series:
        found[one.metric].append(one)
    return found


def _strays(
    kind: Tells, before: Sequence[Series], now: Sequence[Series], kinds: int, *, rises: bool
) -> Iterable[Stray]:
    pairs = [(one, usual) for one in now if (usual := _usual(before, one)) is not None]
    if not pairs:
        return
    levels = [(_level(one.values, rises=rises), median(values)) for one, values in pairs]
    # What is nothing everywhere, such as errors, is measured by what it is now.
    typical = median(abs(usual) for _, usual in levels) or max(abs(level) for level, _ in levels)
    factor = _shared(levels, rises=rises)
    compared = [_compare(one, values, typical, factor, rises=rises) for one, values in pairs]
    bar = max(1.0, _ever(compared, kinds))
    for one in compared:
        times = one.out / bar
        if times >= BEYOND:
            yield Stray(
                one.series.service, one.series.instance, one.series.metric, kind, one.usual, one.level, times, rises
            )


def _usual(before: Sequence[Series], now: Series) -> list[float] | None:
    """Of the instance itself, or of its siblings where normal time did not know it."""
    siblings = [one for one in before if one.service == now.service]
    same = [one for one in siblings if one.instance == now.instance and len(one.values) >= _FEWEST]
    values = [value for one in same or siblings for value in one.values]
    return values if len(values) >= _FEWEST else None


def _shared(levels: Sequence[tuple[float, float]], *, rises: bool) -> float:
    """By which factor everything moved: the median over the series, or nothing."""
    ratios = sorted(level / usual for level, usual in levels if usual > 0)
    if len(ratios) < _ENOUGH_OTHERS:
        return 1.0
    return max(1.0, ratios[(len(ratios) - 1) // 2]) if rises else min(1.0, ratios[len(ratios) // 2])


def _compare(now: Series, usual: Sequence[float], typical: float, factor: float, *, rises: bool) -> _Compared:
    sign = 1.0 if rises else -1.0
    centre = median(usual)
    low, _, high = quantiles(usual, n=4)
    spread = max((high - low) / 1.349, _NOISE * max(abs(centre), typical)) or inf
    pieces = [sign * (_level(piece, rises=rises) - centre) for piece in _pieces(usual, len(now.values))]
    rare = int(_RARE * len(pieces))
    worst, second = sorted([0.0, 0.0, *pieces], reverse=True)[rare : rare + 2]
    least = CLEAR / BEYOND * spread
    level = _level(now.values, rises=rises)
    return _Compared(
        now,
        centre,
        level,
        sign * (level - centre * factor) / max(worst, least),
        tuple(piece / max(second if piece >= worst else worst, least) for piece in pieces),
    )


def _pieces(usual: Sequence[float], size: int) -> list[Sequence[float]]:
    size = max(1, min(size, len(usual) // _ROUNDS))
    return [usual[at : at + size] for at in range(0, len(usual) - size + 1, size)]


def _level(values: Sequence[float], *, rises: bool) -> float:
    """The furthest that a third of them in a row all reached; of two, both."""
    run = min(len(values), max(2, ceil(len(values) / 3)))
    return _furthest(values, run) if rises else -_furthest([-value for value in values], run)


def _furthest(values: Sequence[float], run: int) -> float:
    """The most that `run` values in a row all reach."""
    low: list[int] = []
    best, first = -inf, 0
    for at, value in enumerate(values):
        while len(low) > first and values[low[-1]] >= value:
            low.pop()
        low.append(at)
        if low[first] <= at - run:
            first += 1
        if at >= run - 1:
            best = max(best, values[low[first]])
    return best


def _ever(compared: Sequence[_Compared], kinds: int) -> float:
    """What hardly any piece of normal time of any service went beyond."""
    out = sorted((one for each in compared for one in each.before), reverse=True)
    pieces = len(out) / len(compared)
    return out[min(len(out) - 1, int(_UNNOTICED * pieces / kinds))]
