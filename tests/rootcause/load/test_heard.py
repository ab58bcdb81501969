"""Whose log lines of two windows can be compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set

from rootcause.load.heard import heard
from rootcause.load.log_patterns import Log, Patterns, by_span
from rootcause.load.spans import Kind, Span


def requests(since: int, many: int = 40) -> list[Span]:
    """Of one service, its two instances in turn, one a second."""
    return [
        Span("t", f"s{at}", "", "cart", "", "", "GET /", Kind.SERVER, at * 10**9, 10**6, False)
        for at in range(since, since + many)
    ]


def compared(
    before: Sequence[str], now: Sequence[str], said_until: Callable[[Span], bool]
) -> tuple[set[str], set[str]]:
    """Patterns left of both windows, where each request says all of its window's, the later ones while they are
    heard."""
    patterns = Patterns()
    usual, seen = requests(0), requests(100)
    then = [Log(0.0, "cart", "", span.id, body) for span in usual for body in before]
    since = [Log(0.0, "cart", "", span.id, body) for span in seen if said_until(span) for body in now]
    left = heard(usual, list(patterns.place(then)), seen, list(patterns.place(since)), instances)
    one, other = ({pattern for said in by_span(lines).values() for pattern in said} for lines in left)
    return one, other


def instances(services: Set[str], spans: Sequence[Span]) -> dict[str, str]:
    assert services == {"cart"}
    return {span.id: instance(span) for span in spans}


def instance(span: Span) -> str:
    return f"cart-{int(span.id[1:]) % 2}"


def always(span: Span) -> bool:
    return True


def test_lines_of_both_windows_are_compared() -> None:
    assert compared(["read", "found"], ["read"], always) == ({'log " read"', 'log " found"'}, {'log " read"'})


def test_lines_that_come_late_are_not_missed() -> None:
    assert compared(["read"], ["read"], lambda span: span.start_ns < 125e9) == (set(), set())
    assert compared(["read"], ["read"], lambda span: span.start_ns < 137e9) == ({'log " read"'}, {'log " read"'})


def test_an_instance_whose_logs_are_lost_is_not_an_instance_that_lost_its_words() -> None:
    assert compared(["read"], ["read"], lambda span: instance(span) == "cart-1") == (set(), set())


def test_of_whom_nobody_heard_before_only_trouble_counts() -> None:
    assert compared([], ["read", "cache failed"], always) == (set(), {'log " cache failed"'})


def test_what_is_turned_on_and_off_is_left_out() -> None:
    debug = '{"level": "debug", "msg": "entering loop"}'
    assert compared(["read", debug], ["read"], always) == ({'log " read"'}, {'log " read"'})
