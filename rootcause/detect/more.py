"""How surprising it is that something is done several times as often: the mirror of `fewer`, by the same exact test.

In: how often it was done by bucket, and how often it could have been. Out: whether that is a rise.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from rootcause.detect.chance import log_binomial
from rootcause.detect.fewer import FEWEST_BUCKETS, SURE, TELLING, Counted, dispersion

DOUBLE = 2.0
"""What is done less than this many times as often as usual goes on as usual."""


def rises(before: Mapping[float, Counted], now: Mapping[float, Counted], times: float = 1.0) -> bool:
    """Whether it is done more than twice as often as `times` the usual for the chances and by the clock, in every
    bucket, beyond chance."""
    usual = [one for one in before.values() if one.chances]
    chances_before, done_before = sum(one.chances for one in usual), sum(one.done for one in usual)
    chances, done = sum(one.chances for one in now.values()), sum(one.done for one in now.values())
    if len(usual) < FEWEST_BUCKETS or not done_before or not chances or times == inf:
        return False
    rate = times * done_before / chances_before
    telling = [one for one in now.values() if max(one.done, rate * one.chances) >= TELLING]
    by_the_clock = min((one.done for one in telling), default=0) / (done_before / len(usual))
    if by_the_clock <= DOUBLE or any(one.done <= DOUBLE * rate * one.chances for one in telling):
        return False
    bursts = dispersion(usual, done_before / chances_before)
    were, are = round(times * done_before / bursts), round(done / bursts)
    return log_binomial(are, were + are, chances / (chances + chances_before)) <= SURE
