"""What requests do otherwise than in normal time, and what is no change at all."""

from __future__ import annotations

from random import Random

import pytest

from rootcause.attribute.steps import StepShift, step_shifts
from rootcause.load.window import REQUEST, Interval, Step, Window


def part(at: int, name: str, *often: tuple[int, int], route: str = "/trips") -> list[Step]:
    """Requests of one stretch: by how many times they did `name`, 0 for those that did not, how many there were."""
    of = sum(many for _, many in often)
    done = tuple((times, many) for times, many in often if times)
    return [Step("travel", route, REQUEST, of, ((1, of),), part=at), Step("travel", route, name, of, done, part=at)]


def window(*parts: list[Step]) -> Window:
    intervals = tuple(Interval(100.0 * at, 100.0 * at + 50) for at in range(len(parts)))
    return Window(intervals, steps=tuple(step for steps in parts for step in steps))


def found(normal: Window, now: Window) -> StepShift | None:
    return step_shifts(normal, now).get("travel")


def test_what_is_said_twice_and_now_once_is_a_change() -> None:
    shift = found(window(part(0, "log", (2, 60))), window(part(0, "log", (1, 20))))
    assert shift is not None
    assert shift.sure
    assert (shift.name, shift.changed) in (("log (2 times)", 20.0), ("log (once, as never before)", 20.0))


def test_a_number_of_times_that_never_was_is_a_change_beside_two_that_were() -> None:
    shift = found(window(part(0, "log", (2, 80), (6, 60))), window(part(0, "log", (1, 6), (2, 4), (3, 8), (6, 4))))
    assert shift is not None
    assert shift.sure
    assert shift.name == "log (3 times, as never before)"
    assert shift.changed == pytest.approx(14.0)


def test_numbers_that_differ_with_every_request_are_no_change() -> None:
    draw = Random(3)
    rows = [[(draw.randint(40, 400), 1) for _ in range(requests)] for requests in (300, 60)]
    merged = [part(0, "SELECT", *{times: (times, many) for times, many in often}.values()) for often in rows]
    shift = found(window(merged[0]), window(merged[1]))
    assert shift is None or not shift.sure


def test_one_stretch_of_many_may_have_been_anything_but_normal() -> None:
    well = [part(at, "log", (2, 14)) for at in range(5)]
    now = window(part(0, "log", (1, 20)))
    shift = found(window(*well, part(5, "log", (1, 13))), now)
    assert shift is not None
    assert shift.sure, "five stretches agree"
    few = found(window(*well[:2], part(2, "log", (1, 13))), now)
    assert few is None or not few.sure, "two do not outweigh a third"
    twice = found(window(*well, part(5, "log", (1, 13)), part(6, "log", (1, 13))), now)
    assert twice is None or not twice.sure, "what was seen twice is normal"


def test_what_depends_on_the_request_is_no_change() -> None:
    now = found(window(part(0, "SELECT", (0, 40), (1, 60))), window(part(0, "SELECT", (0, 20), (1, 2))))
    assert now is None


def test_the_more_is_compared_the_less_is_sure() -> None:
    def shift(kinds: int) -> StepShift:
        usual = [part(0, "log", (2, 32))] + [part(0, f"other {at}", (1, 50), route="/others") for at in range(kinds)]
        odd = [part(0, "log", (1, 9))] + [part(0, f"other {at}", (1, 50), route="/others") for at in range(kinds)]
        told = found(
            Window((Interval(0, 50),), steps=tuple(step for steps in usual for step in steps)),
            Window((Interval(60, 90),), steps=tuple(step for steps in odd for step in steps)),
        )
        assert told is not None
        return told

    assert shift(10).sure
    assert not shift(5000).sure
    assert shift(10).log_chance == pytest.approx(shift(5000).log_chance)
