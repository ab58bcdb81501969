"""What is made of the latency quantiles that a recorder happened to keep."""

from __future__ import annotations

import random
from statistics import fmean

import pytest

from rootcause.load.levels import mean_of, quantiles_of

DURATIONS = sorted(random.Random(1).lognormvariate(3, 0.6) for _ in range(20_000))
KEPT = [(50, 90, 95, 99), (50, 90, 99), (50, 95), (50, 99)]


def level(durations: list[float], percent: float) -> float:
    return durations[int(percent / 100 * len(durations))]


@pytest.mark.parametrize("kept", KEPT)
def test_levels_that_were_not_kept_lie_between_those_that_were(kept: tuple[float, ...]) -> None:
    found = quantiles_of({percent: level(DURATIONS, percent) for percent in kept})
    assert found is not None
    assert found.p90 == pytest.approx(level(DURATIONS, 90), rel=0.05)
    assert found.p95 == pytest.approx(level(DURATIONS, 95), rel=0.05)
    assert found.p99 == pytest.approx(level(DURATIONS, 99), rel=0.05)


@pytest.mark.parametrize("kept", KEPT)
def test_the_mean_is_told_by_quantiles(kept: tuple[float, ...]) -> None:
    found = mean_of({percent: level(DURATIONS, percent) for percent in kept})
    assert found == pytest.approx(fmean(DURATIONS), rel=0.3)


def test_the_mean_sees_what_the_median_does_not() -> None:
    """Every third request takes a second longer."""
    slow = sorted(ms + (1_000 if place % 3 == 0 else 0) for place, ms in enumerate(DURATIONS))
    usual, now = (mean_of({50: level(some, 50), 90: level(some, 90)}) for some in (DURATIONS, slow))
    assert usual is not None
    assert now is not None
    assert now > 5 * usual


def test_nothing_is_made_of_nothing() -> None:
    assert mean_of({}) is None
    assert quantiles_of({}) is None
    assert quantiles_of({50.0: 1.0}) is None
    assert quantiles_of({90.0: 1.0, 99.0: 2.0}) is None
    assert mean_of({50.0: 0.0, 90.0: 0.0}) == 0.0
