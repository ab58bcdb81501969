"""Which services use several times more of something than they ever do, in whatever unit it is measured.

In: amounts of use by instance. Out: the most striking one of each service. A share of a limit is judged as saturation;
here nobody knows the limit, so that what others use is the measure of what is much.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rootcause.load.window import Amount, Window

TIMES = 3.0
"""Less than this many times what is nearly always in use is load, a garbage collection, a cache that fills."""
_NEARLY_ALL = 0.95
_LASTING = 2 / 3
"""A third of the time in question reaches it: a fault may begin and end inside of it, a spike is none."""
_FEWEST = 5
_FEWEST_NOW = 3
"""A third of less is a single sample."""
_MUCH = 0.9
_ENOUGH_OTHERS = 3


@dataclass(frozen=True, slots=True)
class Surge:
    """`observed` of `metric` in use for a third of the time, of which nearly always no more than `baseline` was; it is
    `times` as much, less what all others grew by."""

    service: str
    instance: str
    metric: str
    baseline: float
    observed: float
    times: float

    @property
    def grown(self) -> float:
        """`observed` in parts of `baseline`; of the least that counts as something where that is nothing."""
        return self.observed / self.baseline if self.baseline > 0 else self.times


def surges(baseline: Window, observed: Window) -> dict[str, Surge]:
    """By service. It has to become one of the great users of the thing, too: many times next to nothing is little."""
    usual = {(row.service, row.instance, row.metric): _level(row.values, _NEARLY_ALL) for row in baseline.amounts}
    enough = {(r.service, r.instance, r.metric) for r in baseline.amounts if len(r.values) >= _FEWEST}
    grown: dict[str, list[tuple[Amount, float, float]]] = defaultdict(list)
    for row in observed.amounts:
        key = row.service, row.instance, row.metric
        if key in enough and len(row.values) >= _FEWEST_NOW:
            grown[row.metric].append((row, usual[key], _level(row.values, _LASTING)))
    found: dict[str, Surge] = {}
    for rows in grown.values():
        for row, before, now in rows:
            others = [(level, after) for other, level, after in rows if other.service != row.service]
            surge = _surge(row, before, now, others if len(others) >= _ENOUGH_OTHERS else [])
            held = found.get(row.service)
            if surge is not None and (held is None or surge.times > held.times):
                found[row.service] = surge
    return found


def _surge(row: Amount, before: float, now: float, others: Sequence[tuple[float, float]]) -> Surge | None:
    """`others`: what the other services used and now use."""
    everybody = max(1.0, _level([after / level for level, after in others if level > 0], 0.5))
    much = _level([level for level, _ in others], _MUCH) if others else before
    floor = max(before, much / TIMES)
    if floor <= 0 or now < TIMES * everybody * before or now - before < much:
        return None
    return Surge(row.service, row.instance, row.metric, before, now, now / floor / everybody)


def _level(values: Iterable[float] | Sequence[float], share: float) -> float:
    """What this share of the values does not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[int(share * (len(ordered) - 1))] if ordered else 0.0
