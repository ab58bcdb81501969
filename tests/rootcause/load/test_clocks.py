"""Spans of hosts that disagree about the time."""

from __future__ import annotations

from rootcause.load.clocks import on_one_clock
from rootcause.load.spans import Kind, Span

S = 1_000_000_000


def span(id: str, parent: str, service: str, start_s: float, seconds: float, kind: Kind = Kind.SERVER) -> Span:
    return Span("t", id, parent, service, "", "", "work", kind, round(start_s * S), round(seconds * S), failed=False)


FRONT = [span("a", "", "front", 1000, 4), span("b", "a", "front", 1001, 2, Kind.CLIENT)]


def starts(*spans: Span) -> dict[str, float]:
    return {one.id: one.start_ns / S for one in on_one_clock([*FRONT, *spans])}


def test_a_callee_of_another_time_worked_in_the_middle_of_its_call() -> None:
    ahead = [span("c", "b", "cart", 1090, 1), span("d", "c", "cart", 1090.2, 0.5, Kind.CLIENT)]
    behind_that = [span("e", "d", "stock", 950, 0.3)]
    assert starts(*ahead, *behind_that) == {"a": 1000, "b": 1001, "c": 1001.5, "d": 1001.7, "e": 1001.8}


def test_within_a_second_and_within_a_service_nothing_is_moved() -> None:
    assert starts(span("c", "b", "cart", 1003.5, 1))["c"] == 1003.5
    assert starts(span("c", "a", "front", 1060, 1, Kind.INTERNAL))["c"] == 1060


def test_what_goes_on_when_its_caller_has_answered_is_not_moved() -> None:
    assert starts(span("c", "b", "mailer", 1002, 60))["c"] == 1002


def test_spans_that_are_each_others_parents_end_nothing() -> None:
    circle = [span("x", "y", "one", 5000, 1), span("y", "x", "two", 9000, 1)]
    assert len(on_one_clock(circle)) == 2


def test_a_span_told_twice_is_one() -> None:
    assert len(on_one_clock([*FRONT, *FRONT])) == len(FRONT)
