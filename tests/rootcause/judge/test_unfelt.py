"""What requests do otherwise, while users feel nothing: which of it is worth waking somebody for."""

from __future__ import annotations

import pytest

from rootcause.attribute.steps import step_shifts
from rootcause.judge.unfelt import unfelt
from rootcause.load.window import REQUEST, Interval, Step, Window

READ = 'log "INFO read"'


def window(steps: dict[str, int]) -> Window:
    found = [Step("cart", "GET /", name, 100, ((1, present),)) for name, present in {REQUEST: 100, **steps}.items()]
    return Window((Interval(0, 10),), steps=tuple(found))


@pytest.mark.parametrize(
    ("name", "before", "now", "counts"),
    [
        ('log "WARN bank is away"', 0, 100, True),
        ('log "INFO giving up: timeout"', 0, 100, True),
        ('event "exception TimeoutError"', 0, 100, True),
        ('log "INFO read"', 100, 0, True),
        ('log "INFO cached"', 60, 0, False),
        ('log "INFO bonus paid"', 0, 100, False),
        ("query", 0, 100, False),
        ("query", 100, 0, False),
    ],
)
def test_trouble_counts_and_what_all_requests_said(name: str, before: int, now: int, counts: bool) -> None:
    left = unfelt(window({name: before}), window({name: now}), frozenset())
    assert [{step.name for step in one.steps} - {REQUEST} for one in left] == [{name} if counts else set()] * 2


def test_what_a_changed_service_no_longer_says_is_its_own_business() -> None:
    usual, now = window({READ: 100}), window({READ: 0, 'log "WARN away"': 100})
    for changed, left in (({"mail"}, {REQUEST, READ, 'log "WARN away"'}), ({"cart"}, {REQUEST, 'log "WARN away"'})):
        assert {step.name for step in unfelt(usual, now, changed)[1].steps} == left


@pytest.mark.parametrize(("before", "now", "sure"), [(2, 1, True), (1, 2, False), (2, 5, False)])
def test_what_is_said_less_often_is_lost_and_what_is_said_more_often_is_not(before: int, now: int, sure: bool) -> None:
    def said(times: int) -> Window:
        steps = Step("cart", "GET /", REQUEST, 100, ((1, 100),)), Step("cart", "GET /", READ, 100, ((times, 100),))
        return Window((Interval(0, 10),), steps=steps)

    shift = step_shifts(*unfelt(said(before), said(now), frozenset())).get("cart")
    assert (shift is not None and shift.sure) == sure
