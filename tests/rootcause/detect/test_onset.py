"""The second in which a trouble began, and how exactly that is known."""

from __future__ import annotations

import random
from itertools import cycle, islice

import pytest

from rootcause.detect.onset import began
from rootcause.load.moments import Moment

START = 1_000.0


def moments(before: int, after: int, rate: float, share: float, seed: int = 1) -> list[Moment]:
    """Requests at a rate, of which 2 % are bad before START and `share` from then on."""
    chance = random.Random(seed)
    return [Moment(START + at / rate, chance.random() < (share if at >= 0 else 0.02)) for at in range(-before, after)]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("rate", "share"), [(20.0, 1.0), (20.0, 0.3), (2.0, 0.8)])
def test_it_is_found_as_exactly_as_it_says(rate: float, share: float, seed: int) -> None:
    found = began(moments(200, 60, rate, share, seed))
    assert found is not None
    assert abs(found.at - START) <= found.within_s <= 15 / (rate * share)


def test_when_all_fail_it_is_the_first_of_them() -> None:
    found = began([Moment(START + at, at >= 0) for at in range(-30, 20)])
    assert found is not None
    assert (found.at, found.within_s) == (START, 1.0)


def test_order_does_not_matter() -> None:
    asked = moments(100, 50, 10.0, 0.5)
    assert began(asked) == began(asked[::-1])


@pytest.mark.parametrize(
    "asked",
    [
        [],
        [Moment(START + at, at > 3) for at in range(6)],
        [Moment(float(at), bad) for at, bad in enumerate(islice(cycle([False] * 9 + [True]), 200))],
        [Moment(START + at, at < 0) for at in range(-50, 50)],
    ],
    ids=["nothing", "too few", "as ever", "it became better"],
)
def test_else_it_is_not_known(asked: list[Moment]) -> None:
    assert began(asked) is None
