"""Something done several times as often is told from bursts, chance and more requests."""

from __future__ import annotations

from rootcause.detect.fewer import Counted
from rootcause.detect.more import rises

USUAL = {10.0 * at: Counted(100, 20) for at in range(12)}


def test_three_times_as_many_for_each_chance_rise() -> None:
    assert rises(USUAL, {200.0: Counted(100, 60), 210.0: Counted(100, 66)})


def test_it_has_to_last() -> None:
    assert not rises(USUAL, {200.0: Counted(100, 20), 210.0: Counted(100, 200)})


def test_more_chances_and_fewer_chances_are_none() -> None:
    assert not rises(USUAL, {200.0: Counted(400, 80), 210.0: Counted(400, 80)})
    assert not rises(USUAL, {200.0: Counted(20, 20), 210.0: Counted(20, 20)})


def test_what_comes_in_bursts_may_come_in_one() -> None:
    bursts = {10.0 * at: Counted(100, 60 if at % 4 == 0 else 0) for at in range(12)}
    assert not rises(bursts, {200.0: Counted(100, 60), 210.0: Counted(100, 60)})


def test_another_kind_of_chance_explains_as_many_times_as_it_comes_more_often() -> None:
    now = {200.0: Counted(100, 60), 210.0: Counted(100, 66)}
    assert not rises(USUAL, now, times=3.0)
    assert not rises(USUAL, now, times=float("inf"))


def test_nothing_is_known_of_what_was_never_done() -> None:
    assert not rises({10.0 * at: Counted(100, 0) for at in range(12)}, {200.0: Counted(100, 60)})
