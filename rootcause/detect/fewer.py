"""How surprising it is that something is done less often: exact for small counts, and knowing its own bursts.

In: how often it was done by bucket, and how often it could have been. Out: a fall, or None. Source of the test: given
how many there were in both times, each was done now with now's share of the chances (J. Przyborowski and H. Wilenski,
"Homogeneity of Results in Testing Samples from Poisson Series", Biometrika 31, 1940). What comes in bursts is counted
in bursts: both counts are divided by how much more they vary than independent ones (a quasi-Poisson dispersion).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rootcause.detect.chance import log_binomial
from rootcause.detect.errors import UNLIKELY

SURE = 2 * UNLIKELY
"""Log of the probability of chance: there are hundreds of routes and links to be wrong about."""
HALF = 0.5
"""What is done more than this of what is usual goes on."""
FEWEST_BUCKETS = 3
TELLING = 3.0
"""A bucket in which fewer are expected says nothing by itself."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Of one bucket: `done` so many times when it could have been for `chances` requests."""

    chances: int
    done: int


@dataclass(frozen=True, slots=True)
class Fall:
    """`baseline` and `observed` are times a chance; `expected` were to come, `missing` of them did not."""

    baseline: float
    observed: float
    expected: float
    missing: float
    log_chance: float


def fall_of(before: Mapping[float, Counted], now: Mapping[float, Counted]) -> Fall | None:
    """The fall to less than half, in every bucket, of what the chances and the clock let expect; None where there is
    none, or chance explains it."""
    usual = [one for one in before.values() if one.chances]
    chances_before, done_before = _sums(usual)
    chances, done = _sums(now.values())
    if len(usual) < FEWEST_BUCKETS or not done_before or not chances:
        return None
    rate = done_before / chances_before
    expected = rate * chances
    if done >= HALF * expected or not _lasts(now, rate) or not _less_in_all(usual, now):
        return None
    bursts = dispersion(usual, rate)
    were, are = round(done_before / bursts), round(done / bursts)
    chance = log_binomial(were, were + are, chances_before / (chances_before + chances))
    return Fall(rate, done / chances, expected, expected - done, chance) if chance <= SURE else None


def _lasts(now: Mapping[float, Counted], rate: float) -> bool:
    """Whether it holds in each bucket that can tell."""
    telling = [one for one in now.values() if rate * one.chances >= TELLING]
    return bool(telling) and all(one.done < HALF * rate * one.chances for one in telling)


def _less_in_all(usual: list[Counted], now: Mapping[float, Counted]) -> bool:
    """Whether it is done less by the clock, too: many more chances of another kind are no fall."""
    return max(one.done for one in now.values()) < HALF * sum(one.done for one in usual) / len(usual)


def dispersion(usual: list[Counted], rate: float) -> float:
    """How much more counts vary than independent ones at this rate a chance; 1 at the least."""
    strays = [(one.done - rate * one.chances) ** 2 / (rate * one.chances) for one in usual]
    return max(1.0, sum(strays) / len(strays))


def _sums(counted: Iterable[Counted]) -> tuple[int, int]:
    found = list(counted)
    return sum(one.chances for one in found), sum(one.done for one in found)
