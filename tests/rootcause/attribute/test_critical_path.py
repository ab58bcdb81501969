"""Whom a request waits for: concurrent calls, calls nobody waits for, skewed clocks; the parts sum to the whole."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from rootcause.attribute.critical_path import Path, children, critical_path
from rootcause.load.spans import Kind, Span

MS = 1_000_000
CLOCK = 5_000 * MS
"""Where time begins: a clock that is behind has times before it."""


def span(id: str, parent: str, service: str, kind: Kind, start: int, end: int, skew: int = 0) -> Span:
    begin = CLOCK + (start + skew) * MS
    return Span("t", id, parent, service, "", "", "op", kind, begin, (end - start) * MS, False)


def call(id: str, parent: str, source: str, target: str, start: int, end: int, skew: int = 0) -> list[Span]:
    """A call of a millisecond's way there and back."""
    return [
        span(f"c{id}", parent, source, Kind.CLIENT, start, end),
        span(f"s{id}", f"c{id}", target, Kind.SERVER, start + 1, end - 1, skew),
    ]


ENTRY = span("r", "", "front", Kind.SERVER, 0, 100)


def path(*spans: Span) -> Path:
    found = critical_path(ENTRY, children([ENTRY, *spans]))
    assert sum(found.on.values()) == ENTRY.duration_ns
    return found


def in_ms(counted: object) -> dict[str, float]:
    assert isinstance(counted, dict)
    return {name: ns / MS for name, ns in counted.items()}


def test_of_calls_side_by_side_the_last_to_end_is_waited_for() -> None:
    found = path(*call("1", "r", "front", "a", 10, 50), *call("2", "r", "front", "b", 10, 80))
    assert in_ms(dict(found.on)) == {"front": 30, "front -> b": 2, "b": 68}
    assert in_ms(dict(found.beside)) == {"a": 40}


def test_calls_one_after_the_other_are_all_waited_for() -> None:
    found = path(*call("1", "r", "front", "a", 10, 40), *call("2", "r", "front", "b", 45, 95))
    assert in_ms(dict(found.on)) == {"front": 20, "front -> a": 2, "a": 28, "front -> b": 2, "b": 48}
    assert not found.beside


def test_what_goes_on_inside_of_a_service_hides_no_call_that_it_waits_for() -> None:
    handler = span("h", "r", "front", Kind.INTERNAL, 1, 99)
    found = path(handler, *call("1", "r", "front", "a", 5, 95), *call("2", "h", "front", "b", 2, 4))
    assert in_ms(dict(found.on)) == {"front": 8, "front -> a": 2, "a": 88, "front -> b": 2}
    assert not found.beside


def test_rounding_makes_no_call_overlap_the_next() -> None:
    first = call("1", "r", "front", "a", 10, 40)
    longer = replace(first[0], duration_ns=first[0].duration_ns + 240)
    found = path(longer, first[1], *call("2", "r", "front", "b", 40, 95))
    assert found.on["a"] == 28 * MS
    assert not found.beside


def test_what_goes_on_after_the_answer_is_waited_for_by_nobody() -> None:
    found = path(*call("1", "r", "front", "a", 10, 40), *call("2", "r", "front", "mail", 50, 400))
    assert in_ms(dict(found.on)) == {"front": 70, "front -> a": 2, "a": 28}
    assert in_ms(dict(found.beside)) == {"mail": 350}


@pytest.mark.parametrize("skew", [-3000, -20, 20, 3000])
def test_clocks_that_differ_change_nothing(skew: int) -> None:
    deeper = span("d", "s1", "a", Kind.INTERNAL, 20, 30, skew)
    found = path(*call("1", "r", "front", "a", 10, 50, skew), deeper)
    assert in_ms(dict(found.on)) == {"front": 60, "front -> a": 2, "a": 38}


def test_a_callee_that_outlasts_its_caller_s_patience_runs_beside() -> None:
    gave_up = span("c", "r", "front", Kind.CLIENT, 10, 60)
    works_on = span("s", "c", "a", Kind.SERVER, 12, 300)
    found = path(gave_up, works_on)
    assert in_ms(dict(found.on)) == {"front": 50, "front -> a": 50}
    assert in_ms(dict(found.beside)) == {"a": 288}


def test_spans_that_are_their_own_ancestors_end() -> None:
    loop = [span("x", "y", "a", Kind.INTERNAL, 0, 100), span("y", "x", "a", Kind.INTERNAL, 0, 100)]
    assert in_ms(dict(critical_path(loop[0], children(loop)).on)) == {"a": 100}


@pytest.mark.parametrize("seed", range(5))
def test_any_tree_sums_to_the_whole(seed: int) -> None:
    dice = random.Random(seed)
    spans = [ENTRY]
    for index in range(60):
        above = dice.choice(spans)
        start = dice.randrange(-10, 110)
        kind = dice.choice(list(Kind))
        service = dice.choice(("front", "a", "b"))
        spans.append(
            span(f"n{index}", above.id, service, kind, start, start + dice.randrange(60), dice.randrange(-9, 9))
        )
    path(*spans[1:])
