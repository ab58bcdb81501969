"""Lines that a service no longer writes, though it writes the others."""

from __future__ import annotations

from collections.abc import Container

from rootcause.load.log_patterns import Log
from rootcause.load.log_unsaid import no_longer_said
from rootcause.load.window import Interval

NORMAL, QUESTION = Interval(0.0, 300.0), Interval(1000.0, 1180.0)
ASKED, FOUND = "received request of user", "found what was asked for in the store"


def lines(within: Interval, left_out: Container[str] = (), times: int = 3) -> list[Log]:
    every = range(int(within.start), int(within.end), 10)
    return [
        Log(at + 1.0, "cart", "INFO", "", body)
        for at in every
        for body in (ASKED, FOUND)
        if body not in left_out
        for _ in range(times)
    ]


def missing(now: list[Log]) -> dict[str, int]:
    """In how many buckets each line is missing now."""
    before, since = no_longer_said((lines(NORMAL), [NORMAL]), (now, [QUESTION]))
    assert not any(step.present for step in before)
    return {step.name: step.present for step in since if step.present}


def test_a_line_that_is_left_out_while_others_go_on() -> None:
    assert missing(lines(QUESTION, (FOUND,))) == {f'no log "INFO {FOUND}"': 18}


def test_nothing_is_missing_where_all_is_said() -> None:
    assert missing(lines(QUESTION)) == {}


def test_who_is_hardly_asked_leaves_nothing_out() -> None:
    assert missing([]) == {}
    assert missing(lines(QUESTION, (FOUND,), times=1)) == {}
