"""Who was changed just before is asked for when somebody may be to blame, and not otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from rootcause.incidents.vigil import Vigil
from rootcause.load.window import STEP_S, Bucket, Interval, Served, Window

NOW = 1_700_000_005.0


def window(intervals: Sequence[Interval], ms: float) -> Window:
    """A hundred requests of one service in each bucket."""
    starts = [part.start + STEP_S * at for part in intervals for at in range(ceil(part.seconds / STEP_S))]
    buckets = tuple(Bucket(start, 100, 0, 100 * ms, 0, 100 * ms, 100) for start in starts)
    return Window(tuple(intervals), (Served("cart", "v1", "cart-1", "/", True, buckets),))


def asked_for_changes(ms_now: float) -> int:
    asked: list[float] = []

    def load(intervals: Sequence[Interval], _: Sequence[Interval]) -> Window:
        return window(intervals, 10.0 if intervals[0].seconds > 2 * STEP_S else ms_now)

    def changed() -> frozenset[str]:
        asked.append(NOW)
        return frozenset({"cart"})

    verdict = Vigil(load).compare(NOW, changed).verdict
    assert verdict.state == ("degraded" if ms_now > 10.0 else "nothing_wrong")
    return len(asked)


def test_nobody_is_asked_while_nothing_strays() -> None:
    assert asked_for_changes(10.0) == 0


def test_whoever_may_be_to_blame_is_asked_for() -> None:
    assert asked_for_changes(100.0) == 1
