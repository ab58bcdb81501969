"""Which metrics of which services are further from normal, for a while, than any of their kind ever was.

In: series of both windows. Out: by service, the metrics that stray. How far is measured in what the very series did by
itself before; what is rare is measured over all services, for a metric that leaps now and then somewhere tells
nothing when it leaps once more (the idea of conformal prediction: V. Vovk et al., "Algorithmic Learning in a Random
World", 2005). What all services have in common is nobody's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil, inf, sqrt
from statistics import median, quantiles

from rootcause.load.metric_names import USED, Tells, tells
from rootcause.load.window import Series, Window

CLEAR = 5.0
"""Deviations from normal below which nothing strays, as for latency."""
BEYOND = 2.0
"""Times as far as anything of its kind went by itself."""
_NOISE = 0.05
"""Part of the level that any measure may be off by."""
_FEWEST = 5
_FEWEST_USED = 3
"""What an instance uses up is told of all of it, however few requests came in between."""
_FEW = 10
"""Of fewer samples nobody knows how much they vary: as much, then, as those of others usually do."""
_ROUNDS = 4
"""Normal time is cut into as many pieces at least, to know how far they differ."""
_UNNOTICED = 0.1
"""Chance, in a time like the one in question, that any service strays as far by any kind of metric."""
_ENOUGH_OTHERS = 4
_RARE = 0.01
"""Part of its own normal time that a series may have spent further out: a start, an hour nobody told of."""

_INDEPENDENT = 8
"""The error of a median of so many samples is less than half of that of one."""


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
class _Shared:
    """Of one metric: its `typical` level, the `factor` by which all moved, and what it `varies` by in parts of it."""

    typical: float
    factor: float
    varies: float


@dataclass(frozen=True, slots=True)
class _Compared:
    """One series in one direction: how far it is out now, and its pieces of normal time were, in its own spread."""

    series: Series
    usual: float
    level: float
    out: float
    before: tuple[float, ...]


def strays(baseline: Window, observed: Window, least: float = BEYOND) -> dict[str, tuple[Stray, ...]]:
    """By service, the one that is furthest out first; those at `least` so many times as far as any ever was."""
    before, now = _by_metric(baseline.series), _by_metric(observed.series)
    known = {metric: kind for metric in now.keys() & before.keys() if (kind := tells(metric)) is not None}
    found: dict[str, list[Stray]] = defaultdict(list)
    for metric, kind in sorted(known.items()):
        for rises in (True, False):
            for stray in _strays(kind, before[metric], now[metric], len(set(known.values())), rises=rises):
                if stray.times >= least:
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
    fewest = _FEWEST_USED if kind in USED else _FEWEST
    pairs = [(one, usual) for one in now if (usual := _usual(before, one, fewest)) is not None]
    if not pairs:
        return
    ways = (_ONCE,) if kind is Tells.RESTARTS else (_FOR_A_THIRD, _MOSTLY)
    furthest: dict[tuple[str, str], Stray] = {}
    for way in ways:
        for stray in _by(way, kind, pairs, kinds, rises=rises):
            held = furthest.get((stray.service, stray.instance))
            if held is None or stray.times > held.times:
                furthest[stray.service, stray.instance] = stray
    yield from furthest.values()


def _by(
    way: _Way, kind: Tells, pairs: Sequence[tuple[Series, Sequence[float]]], kinds: int, *, rises: bool
) -> Iterable[Stray]:
    pairs = [(one, usual) for one, usual in pairs if len(usual) >= way.fewest]
    if not pairs:
        return
    levels = [(way.level(one.values, rises=rises), median(values)) for one, values in pairs]
    # What is nothing everywhere, such as errors, is measured by what it is now.
    typical = median(abs(usual) for _, usual in levels) or max(abs(level) for level, _ in levels)
    shared = _Shared(typical, _shared(levels, rises=rises), _usually([values for _, values in pairs]))
    compared = [_compare(one, values, shared, way, rises=rises) for one, values in pairs]
    bar = max(1.0, _ever(compared, kinds))
    for one in compared:
        where = one.series.service, one.series.instance, one.series.metric
        yield Stray(*where, kind, one.usual, one.level, one.out / bar, rises)


def _usual(before: Sequence[Series], now: Series, fewest: int) -> list[float] | None:
    """Of the instance itself, or of its siblings where normal time did not know it; what several were at one moment
    does not tell how one varies."""
    known = [one for one in before if one.service == now.service and len(one.values) >= fewest]
    same = [one for one in known if one.instance == now.instance]
    return [value for one in same or known for value in one.values] or None


def _shared(levels: Sequence[tuple[float, float]], *, rises: bool) -> float:
    """By which factor everything moved: the median over the series, or nothing."""
    ratios = sorted(level / usual for level, usual in levels if usual > 0)
    if len(ratios) < _ENOUGH_OTHERS:
        return 1.0
    return max(1.0, ratios[(len(ratios) - 1) // 2]) if rises else min(1.0, ratios[len(ratios) // 2])


def _usually(series: Sequence[Sequence[float]]) -> float:
    """What the samples of one series vary by in parts of its level: the median over the series."""
    parts = [_spread(values) / abs(centre) for values in series if (centre := median(values))]
    return median(parts) if parts else 0.0


def _spread(values: Sequence[float]) -> float:
    """As a deviation, of what lies between the quartiles."""
    low, _, high = quantiles(values, n=4)
    return (high - low) / 1.349


def _compare(now: Series, usual: Sequence[float], shared: _Shared, way: _Way, *, rises: bool) -> _Compared:
    sign = 1.0 if rises else -1.0
    centre = median(usual)
    varies = shared.varies * abs(centre) if len(usual) < _FEW else 0.0
    spread = max(_spread(usual) * way.varies(len(now.values)), varies, _NOISE * max(abs(centre), shared.typical)) or inf
    pieces = [sign * (way.level(piece, rises=rises) - centre) for piece in _pieces(usual, len(now.values))]
    rare = int(_RARE * len(pieces))
    worst, second = sorted([0.0, 0.0, *pieces], reverse=True)[rare : rare + 2]
    least = CLEAR / BEYOND * spread
    level = way.level(now.values, rises=rises)
    return _Compared(
        now,
        centre,
        level,
        # What everybody has more of varies by as much more.
        sign * (level - centre * shared.factor) / max(worst, least) / max(1.0, shared.factor),
        tuple(piece / max(second if piece >= worst else worst, least) for piece in pieces),
    )


def _pieces(usual: Sequence[float], size: int) -> list[Sequence[float]]:
    size = max(1, min(size, len(usual) // _ROUNDS))
    return [usual[at : at + size] for at in range(0, len(usual) - size + 1, size)]


@dataclass(frozen=True, slots=True)
class _Way:
    """One way of telling at what level a series is: by `lasting`, what so many samples in a row all reached; without it
    the middle. Series of less than `fewest` samples of normal time are left out."""

    lasting: Callable[[int], int] | None
    fewest: int = 0

    def level(self, values: Sequence[float], *, rises: bool) -> float:
        """In the direction asked for."""
        if self.lasting is None:
            return median(values)
        many = self.lasting(len(values))
        return _furthest(values, many) if rises else -_furthest([-value for value in values], many)

    def varies(self, many: int) -> float:
        """What the level of so many samples varies by, in parts of what one of them does: those that follow one another
        are alike, so that no more than a few count."""
        return 1.0 if self.lasting is not None else 1.25 / sqrt(max(2, min(many, _INDEPENDENT)))


def _run(many: int) -> int:
    """What is to last: a third; of two, both."""
    return min(many, max(2, ceil(many / 3)))


def _once(_: int) -> int:
    """What happened is over at once, and has happened all the same."""
    return 1


_ONCE, _FOR_A_THIRD, _MOSTLY = _Way(_once), _Way(_run), _Way(None, _FEW)


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
