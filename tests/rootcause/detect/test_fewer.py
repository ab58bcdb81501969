"""A fall is one beyond chance, beyond bursts, in every bucket, and by the clock too."""

from __future__ import annotations

import math

import pytest

from rootcause.detect.fewer import Counted, fall_of


def series(*done: int, chances: int = 40) -> dict[float, Counted]:
    return {10.0 * index: Counted(chances, many) for index, many in enumerate(done)}


USUAL = series(*[38, 41, 40, 39, 42, 40] * 5)


def test_what_is_hardly_done_any_more() -> None:
    fall = fall_of(USUAL, series(1, 0))
    assert fall is not None
    assert (fall.baseline, fall.observed) == (1.0, 1 / 80)
    assert (fall.expected, fall.missing) == (80.0, 79.0)
    assert fall.log_chance < -70


def test_the_chance_of_nothing_is_exact() -> None:
    """A hundred before and none in as long a time: each of the hundred fell into the first half."""
    fall = fall_of(series(*[10] * 10, chances=10), series(*[0] * 10, chances=10))
    assert fall is not None
    assert fall.log_chance == pytest.approx(100 * math.log(0.5))


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (USUAL, series(25, 24)),
        (USUAL, series(39, 0)),
        (USUAL, series(35, 38, chances=400)),
        (series(*[1] * 30), series(0, 0)),
        (series(*[0, 0, 0, 0, 0, 240] * 5), series(0, 0)),
        (series(40, 40), series(0, 0)),
        (USUAL, {}),
    ],
    ids=["more than half", "one bucket", "many more chances", "too few", "bursts", "hardly known", "nothing to see"],
)
def test_no_fall(before: dict[float, Counted], now: dict[float, Counted]) -> None:
    assert fall_of(before, now) is None
