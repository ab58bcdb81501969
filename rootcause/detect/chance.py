"""How likely counts like these are by chance alone: exact tests, so that three failures in five calls mean
what they mean.

All answers are natural logarithms of probabilities (0 = certain, -20 = two in a billion); zero traffic proves nothing.
"""

from collections.abc import Callable
from math import comb, exp, inf, lgamma, log, log1p

_NEGLIGIBLE = -45.0
"""Log of the part of a sum that a double does not hold any more."""


def log_fisher(hits: int, of: int, hits_before: int, of_before: int) -> float:
    """Log of the chance of at least `hits` of `of` if both samples had the same rate: Fisher's exact test, one-sided.

    Source: R. A. Fisher, "The Design of Experiments", 1935 (the hypergeometric tail).
    """
    if of == 0 or of_before == 0:
        return 0.0
    drawn, marked, total = of, hits + hits_before, of + of_before
    mode = (drawn + 1) * (marked + 1) // (total + 2)
    tail = _log_tail(
        lambda k: _log_choose(marked, k) + _log_choose(total - marked, drawn - k), hits, min(drawn, marked), mode
    )
    return min(0.0, tail - _log_choose(total, drawn))


def log_binomial(hits: int, of: int, rate: float) -> float:
    """Log of the chance of at least `hits` of `of` when each is one with probability `rate`: the binomial tail."""
    if hits <= 0 or rate >= 1:
        return 0.0
    if of == 0 or rate <= 0:
        return 0.0 if of == 0 else -inf
    yes, no = log(rate), log1p(-rate)
    return min(0.0, _log_tail(lambda k: _log_choose(of, k) + k * yes + (of - k) * no, hits, of, int((of + 1) * rate)))


def _log_tail(term: Callable[[int], float], low: int, high: int, mode: int) -> float:
    """Log of the sum of the terms `low` to `high`, by their logs. They fall off on both sides of `mode`, and are left
    out from where they are too small to change anything: of millions some thousands are left."""
    top = min(max(mode, low), high)
    most, total = term(top), 1.0
    if most == -inf:
        return -inf
    for places in (range(top + 1, high + 1), range(top - 1, low - 1, -1)):
        for k in places:
            less = term(k) - most
            if less < _NEGLIGIBLE:
                break
            total += exp(less)
    return most + log(total)


def _log_choose(n: int, k: int) -> float:
    if k < 0 or k > n:
        return -inf
    if n < 60:
        return log(comb(n, k))
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
