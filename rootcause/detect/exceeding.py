"""How surely requests became slower, whatever their spread: at least half of them take longer than nine in ten did.

In: calls with their quantiles, in normal time and now. Out: deviations, to be used beside those of the mean, which
heavy tails and second modes make blind. An exact test: of requests as before, one in ten takes that long.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import exp
from statistics import NormalDist

from rootcause.detect.chance import log_binomial
from rootcause.load.window import Quantiles

_FEWEST = 20
"""Of fewer calls nobody knows what nine in ten take."""
_RARELY, _HALF = 0.1, 0.5
_LEAST_LOG = -700.0
"""Smaller probabilities are no numbers."""

Measured = tuple[int, Quantiles | None]
"""Calls of one row, and what they took."""


def exceeding(before: Iterable[Measured], now: Iterable[Measured]) -> float:
    """Deviations, 0 where nothing is known."""
    known = [(calls, levels) for calls, levels in before if levels is not None and calls]
    if sum(calls for calls, _ in known) < _FEWEST:
        return 0.0
    long = max(levels.p90 for _, levels in known)
    seen = [(calls, levels) for calls, levels in now if levels is not None]
    slow = sum(calls for calls, levels in seen if levels.p50 > long)
    if not slow:
        return 0.0
    chance = log_binomial(int(_HALF * slow), sum(calls for calls, _ in seen), _RARELY)
    return max(0.0, -NormalDist().inv_cdf(min(_HALF, exp(max(_LEAST_LOG, chance)))))
