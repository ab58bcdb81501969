"""Finds the second in which a trouble began, among single requests.

In: when requests began, and whether each was bad. Out: the first of the worse time, and how exactly that is known. The
likeliest split into a time with few bad requests and one with more; every split that is not clearly less likely is
possible (the likelihood-ratio interval of a change point; D. V. Hinkley, "Inference about the change-point", 1970).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import log

from rootcause.load.moments import Moment

_CLEARLY_LESS = 1.92
"""Log-likelihood below the best: 95 % of a chi-squared variable with one degree of freedom, halved."""
_FEWEST = 5


@dataclass(frozen=True, slots=True)
class Began:
    """`at` is Unix seconds; the trouble began no more than `within_s` before or after."""

    at: float
    within_s: float


def began(moments: Sequence[Moment]) -> Began | None:
    """The onset among moments that reach back to before it. None when there are too few of either time, or they do not
    become worse."""
    ordered = sorted(moments, key=lambda moment: moment.at)
    bad = [0, *accumulate(moment.bad for moment in ordered)]
    many, all_bad = len(ordered), bad[-1]
    splits = range(_FEWEST, many - _FEWEST + 1)
    likely = {
        split: _log_likelihood(bad[split], split) + _log_likelihood(all_bad - bad[split], many - split)
        for split in splits
        if (all_bad - bad[split]) * split > bad[split] * (many - split)
    }
    if not likely:
        return None
    best = max(likely, key=lambda split: (likely[split], -split))
    if likely[best] < _log_likelihood(all_bad, many) + _CLEARLY_LESS:
        return None
    possible = [split for split, found in likely.items() if found >= likely[best] - _CLEARLY_LESS]
    at = ordered[best].at
    return Began(at, max(at - ordered[min(possible) - 1].at, ordered[max(possible)].at - at))


def _log_likelihood(hits: int, of: int) -> float:
    """Of so many hits at their own rate."""
    if hits in (0, of):
        return 0.0
    return hits * log(hits / of) + (of - hits) * log(1 - hits / of)
