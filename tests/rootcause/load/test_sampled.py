"""How much of normal time is looked through for whole traces."""

from __future__ import annotations

import pytest

from rootcause.load.sampled import ENOUGH, normal_stretch
from rootcause.load.window import STEP_S, Bucket, Interval, Served, Window

NORMAL = Interval(1_000.0, 1_600.0)
QUESTION = Window((Interval(1_570.0, 1_620.0),))


def normal(requests_a_bucket: int) -> Window:
    """Normal time with so many requests from outside in each bucket."""
    starts = [NORMAL.start + STEP_S * index for index in range(int(NORMAL.seconds / STEP_S))]
    buckets = tuple(Bucket(start=start, calls=requests_a_bucket) for start in starts)
    return Window((NORMAL,), (Served("shop", "v1", "shop-1", "/", entry=True, buckets=buckets),))


@pytest.mark.parametrize(
    ("requests_a_bucket", "seconds"), [(0, 120), (10, 120), (ENOUGH // 12, 120), (ENOUGH // 4, 40), (ENOUGH * 3, 10)]
)
def test_the_busier_a_mesh_the_less_of_normal_time_is_read(requests_a_bucket: int, seconds: float) -> None:
    assert normal_stretch(normal(requests_a_bucket), QUESTION) == Interval(1_570.0 - seconds, 1_570.0)


def test_without_normal_time_before_it_there_is_nothing_to_compare() -> None:
    later = Window((Interval(1_600.0, 1_620.0),))
    assert normal_stretch(later, QUESTION) is None
