"""How likely counts like these are by chance alone: exact tests, so that three failures in five calls mean
what they mean.

All answers are natural logarithms of probabilities (0 = certain, -20 = two in a billion); zero traffic proves nothing.
"""

from math import comb, exp, inf, lgamma, log, log1p

_EXACT_ROWS = 100_000


def log_fisher(hits: int, of: int, hits_before: int, of_before: int) -> float:
    """Log of the chance of at least `hits` of `of` if both samples had the same rate: Fisher's exact test, one-sided.

    Source: R. A. Fisher, "The Design of Experiments", 1935 (the hypergeometric tail).
    """
    if of == 0 or of_before == 0:
        return 0.0
    drawn, marked, total = of, hits + hits_before, of + of_before
    tail = _upto(hits, min(drawn, marked))
    terms = [_log_choose(marked, k) + _log_choose(total - marked, drawn - k) for k in tail]
    return min(0.0, _log_sum(terms) - _log_choose(total, drawn))


def log_binomial(hits: int, of: int, rate: float) -> float:
    """Log of the chance of at least `hits` of `of` when each is one with probability `rate`: the binomial tail."""
    if hits <= 0 or rate >= 1:
        return 0.0
    if of == 0 or rate <= 0:
        return 0.0 if of == 0 else -inf
    terms = [_log_choose(of, k) + k * log(rate) + (of - k) * log1p(-rate) for k in _upto(hits, of)]
    return min(0.0, _log_sum(terms))


def _upto(low: int, high: int) -> range:
    return range(low, min(high, low + _EXACT_ROWS) + 1)


def _log_choose(n: int, k: int) -> float:
    if k < 0 or k > n:
        return -inf
    if n < 60:
        return log(comb(n, k))
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)


def _log_sum(logs: list[float]) -> float:
    most = max(logs)
    return most + log(sum(exp(value - most) for value in logs)) if most > -inf else -inf
