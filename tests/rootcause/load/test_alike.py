"""Steps of two windows of which one lost more spans."""

from __future__ import annotations

from rootcause.load.alike import alike
from rootcause.load.window import OF_TIME, REQUEST, Interval, Step, Window

STEPS = (
    Step("front", "/", REQUEST, 100, ((1, 100),)),
    Step("front", "/", "-> cart", 100, ((1, 100),)),
    Step("front", "/", "-> cart, then -> catalog", 100, ((1, 100),)),
    Step("front", OF_TIME, "error: refused", 10, ((1, 1),)),
    Step("other", "/", "-> cache", 100, ((1, 100),)),
)


def window(**captured: float) -> Window:
    return Window((Interval(0, 10),), steps=STEPS, captured=captured)


def present(found: Window) -> dict[str, int]:
    return {step.name: step.present for step in found.steps}


def test_steps_are_as_rare_as_if_as_many_spans_were_lost() -> None:
    before, now = alike(window(front=1), window(front=0.7))
    assert present(before) == {REQUEST: 100, "-> cart": 70, "error: refused": 1, "-> cache": 100}
    assert present(now) == {REQUEST: 100, "-> cart": 100, "error: refused": 1, "-> cache": 100}


def test_what_was_done_several_times_is_seen_fewer_times() -> None:
    twice = Window((Interval(0, 10),), steps=(Step("front", "/", "-> cart", 100, ((2, 100),)),), captured={"front": 1})
    before, _ = alike(twice, window(front=0.7))
    assert before.steps[0].often == ((1, 42), (2, 49))


def test_a_call_is_as_rare_as_the_spans_of_either_end() -> None:
    before, _ = alike(window(cart=1), window(cart=0.6))
    assert present(before)["-> cart"] == 60


def test_what_lost_alike_stays() -> None:
    assert alike(window(front=0.7), window(front=0.7)) == (window(front=0.7), window(front=0.7))
    assert alike(window(front=0.7), window(front=0.69))[0].steps == STEPS


def test_where_one_window_tells_nothing_of_it_both_are_taken_as_they_are() -> None:
    assert alike(window(), window(front=0.7)) == (window(), window(front=0.7))
