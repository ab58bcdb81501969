"""Which services have a new version."""

from __future__ import annotations

from rootcause.judge.releases import LATELY_S, Releases
from rootcause.load.window import Interval, Served, Window


def serving(*versions: str) -> Window:
    rows = (Served("cart", version, "", "GET /", entry=True, buckets=()) for version in versions)
    return Window((Interval(0, 10),), tuple(rows))


def test_a_version_is_new_for_a_while() -> None:
    releases = Releases()
    assert releases.lately(serving("v1", "v2"), 0) == frozenset(), "nobody knows since when"
    assert releases.lately(serving("v1", "v3"), 100) == {"cart"}
    assert releases.lately(serving("v3"), 100 + LATELY_S - 1) == {"cart"}
    assert releases.lately(serving("v3"), 100 + LATELY_S) == frozenset()
    assert releases.lately(serving("v1"), 110 + LATELY_S) == {"cart"}, "back to what it was"


def test_who_has_one_version_released_nothing() -> None:
    releases = Releases()
    assert releases.lately(serving("v1"), 0) == frozenset()
    assert releases.lately(serving(), 10) == frozenset()
    assert releases.lately(serving("v1"), 3 * LATELY_S) == frozenset()
