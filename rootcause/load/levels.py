"""Makes of the latency quantiles that a recorder kept what the engine compares: a mean, and a full set of them.

In: some quantiles of one row, by percent. Out: estimates, None where too few are known. Between two of them durations
are taken to grow by equal factors for equal steps of a normal variable, as those of services roughly do (log-normal).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from math import exp, log
from statistics import NormalDist

from rootcause.load.window import Quantiles

LEVELS = (50.0, 90.0, 95.0, 99.0)
_LEAST_MS = 1e-6


def mean_of(known: Mapping[float, float]) -> float | None:
    """The mean of all durations. The median alone would not see what happens to every third request."""
    if not known:
        return None
    levels = sorted(known.items())
    below, above = levels[0], levels[-1]
    total = below[1] * below[0] + above[1] * (100.0 - above[0])
    total += sum((high - low) * _between(fast, slow) for (low, fast), (high, slow) in pairwise(levels))
    return total / 100.0


def _between(fast: float, slow: float) -> float:
    """The mean of durations that grow evenly in factors: the logarithmic mean."""
    if slow <= fast or fast <= _LEAST_MS:
        return (fast + slow) / 2
    return (slow - fast) / log(slow / fast)


def quantiles_of(known: Mapping[float, float]) -> Quantiles | None:
    """All of LEVELS; None unless the median and another one are known."""
    if 50.0 not in known or len(known) < 2:
        return None
    return Quantiles(*(known.get(level, _level(level, known)) for level in LEVELS))


def _level(level: float, known: Mapping[float, float]) -> float:
    """On the line through the two nearest of the known ones, by standard deviations and logarithms."""
    levels = sorted(known)
    over = next((place for place, one in enumerate(levels) if one > level), len(levels) - 1)
    low, high = levels[over - 1], levels[over]
    fast, slow = max(known[low], _LEAST_MS), max(known[high], _LEAST_MS)
    part = (_deviations(level) - _deviations(low)) / (_deviations(high) - _deviations(low))
    return exp(log(fast) + part * max(0.0, log(slow / fast)))


def _deviations(level: float) -> float:
    return NormalDist().inv_cdf(level / 100)
