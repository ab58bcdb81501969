"""Normal time is read again when it is not what it was, and only then."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from rootcause.load.horizon import around, horizon
from rootcause.load.remembered import REMEMBERED_S, Remembered
from rootcause.load.window import STEP_S, Bucket, Interval, Served, Window

NOW = 1_700_000_000.0


class Loading:
    """Loads windows with a request in every bucket since `since`, and counts them."""

    def __init__(self, since: float = 0.0) -> None:
        self.since = since
        self.loaded = 0

    def __call__(self, intervals: Sequence[Interval], _: Sequence[Interval]) -> Window:
        self.loaded += 1
        starts = [
            one.start + step * STEP_S
            for one in intervals
            for step in range(int(one.seconds / STEP_S))
            if one.start + step * STEP_S >= self.since
        ]
        buckets = tuple(Bucket(start, 1) for start in starts)
        return Window(tuple(intervals), (Served("front", "", "", "/", True, buckets),))


def test_an_hour_of_evaluations_reads_normal_time_once_a_minute() -> None:
    loading = Loading()
    remembered = Remembered(loading)
    for step in range(360):
        wanted = horizon(NOW + step * STEP_S).normal
        told = remembered.window(wanted)
        assert 0 <= wanted[-1].end - told.end < REMEMBERED_S
    assert loading.loaded == 60


def test_normal_time_that_is_hardly_known_is_read_each_time() -> None:
    loading = Loading(since=NOW - 120)
    remembered = Remembered(loading)
    for step in range(5):
        remembered.window(horizon(NOW + step * STEP_S).normal)
    assert loading.loaded == 5


def test_what_stands_still_is_read_once() -> None:
    loading = Loading(since=NOW)
    remembered = Remembered(loading)
    held = horizon(NOW).normal
    assert remembered.window(held) is remembered.window(held)
    assert loading.loaded == 1


@pytest.mark.parametrize(
    "other",
    [
        horizon(NOW - STEP_S).normal,
        horizon(NOW + REMEMBERED_S).normal,
        horizon(NOW, [around(NOW - 300, NOW - 200)]).normal,
    ],
    ids=["an earlier time", "a minute later", "with an incident in between"],
)
def test_other_times_are_read_anew(other: tuple[Interval, ...]) -> None:
    remembered = Remembered(Loading())
    remembered.window(horizon(NOW).normal)
    assert remembered.window(other).intervals == other
