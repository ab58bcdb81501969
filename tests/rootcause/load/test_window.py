"""What is found of a window's traffic is found once, and never told of other traffic."""

from __future__ import annotations

from dataclasses import replace

from rootcause.load.window import REQUEST, Bucket, Interval, Served, Step, Traffic, Window, calls, once

asked: list[int] = []


@once
def requests(traffic: Traffic) -> int:
    found = sum(calls(row.buckets) for row in traffic.served)
    asked.append(found)
    return found


def window(many: int) -> Window:
    return Window((Interval(0.0, 10.0),), (Served("cart", "v1", "cart-1", "/", True, (Bucket(0.0, many),)),))


def test_windows_of_the_same_traffic_share_what_is_found() -> None:
    asked.clear()
    baseline = window(7)
    looked_into = replace(baseline, steps=(Step("cart", "/", REQUEST, 7, ((1, 7),)),))
    assert requests(baseline.traffic) == requests(looked_into.traffic) == requests(baseline.traffic) == 7
    assert asked == [7]


def test_other_traffic_is_looked_at_anew() -> None:
    baseline = window(7)
    assert requests(baseline.traffic) == 7
    assert requests(replace(baseline, served=window(9).served).traffic) == 9
    assert requests(window(8).traffic) == 8


def test_windows_are_equal_whatever_was_found() -> None:
    assert requests(window(7).traffic) == 7
    assert window(7) == window(7)
