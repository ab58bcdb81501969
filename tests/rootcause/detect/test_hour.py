"""A shift is the hour's when the same time of most other days has it too."""

from __future__ import annotations

import pytest

from rootcause.detect.hour import Series, of_the_hour


def minutes(*means: float, calls: float = 20.0) -> Series:
    return {60.0 * index: (calls, calls * mean) for index, mean in enumerate(means)}


RECENT, NOW = minutes(10, 10, 11), minutes(20)
PEAK, CALM = minutes(*[20] * 10), minutes(*[10] * 10)


@pytest.mark.parametrize(
    ("days", "usual"),
    [
        ([PEAK, PEAK, PEAK], True),
        ([PEAK, PEAK, CALM], True),
        ([PEAK, CALM, CALM], False),
        ([PEAK, CALM], False),
        ([PEAK], False),
        ([], False),
        ([minutes(*[10] * 5, *[20] * 5)] * 2, True),
        ([minutes(*[10] * 8, *[20] * 2)] * 2, False),
        ([minutes(*[15] * 10)] * 2, False),
        ([minutes(20, 20)] * 5, False),
        ([minutes(*[20] * 10, calls=0.2)] * 5, False),
    ],
    ids=[
        "every day",
        "but one",
        "one bad day of three",
        "one of two",
        "a single day",
        "no history",
        "begins in the midst",
        "a spell",
        "half as much",
        "two minutes",
        "hardly any calls",
    ],
)
def test_of_the_hour(days: list[Series], usual: bool) -> None:
    assert of_the_hour(RECENT, NOW, days) is usual


def test_a_lull_is_of_the_hour_like_a_peak() -> None:
    assert of_the_hour(PEAK, CALM, [CALM, CALM])
    assert not of_the_hour(PEAK, CALM, [PEAK, PEAK])
