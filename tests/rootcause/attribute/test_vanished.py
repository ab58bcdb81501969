"""Services that measure nothing any more, or did not for a while."""

from __future__ import annotations

from collections.abc import Iterable

from rootcause.attribute.vanished import vanished
from rootcause.load.window import Interval, Series, Window

NAMES = ("cart", "order", "store", "user")


def window(start: int, missing: Iterable[int] = (), of: Iterable[str] = ("store",)) -> Window:
    """Samples every 10 s for five minutes, of some without those that are missing."""
    every = range(start, start + 300, 10)
    series = []
    for name in NAMES:
        times = [float(at) for at in every if name not in of or at - start not in set(missing)]
        series.append(Series(name, f"{name}-0", "cpu", times, [1.0] * len(times)))
    return Window((Interval(start, start + 300),), series=tuple(series))


def test_who_is_not_measured_for_a_while_was_gone() -> None:
    assert set(vanished(window(0), window(1000, (0, 10, 20)))) == {"store"}
    assert set(vanished(window(0), window(1000, (120, 130, 140, 150)))) == {"store"}


def test_a_missed_sample_is_none_of_it() -> None:
    assert vanished(window(0), window(1000, (120, 130))) == {}


def test_who_was_missed_before_is_badly_measured() -> None:
    assert vanished(window(0, (50, 60)), window(1000, (120, 130, 140, 150))) == {}


def test_when_most_are_missed_it_is_the_collector() -> None:
    assert vanished(window(0), window(1000, (120, 130, 140), of=("store", "user", "cart"))) == {}
