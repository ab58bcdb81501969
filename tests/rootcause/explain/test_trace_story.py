"""One request, told from its spans: where it failed first, where its time went."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from rootcause.explain.trace_story import TraceStory, tell
from rootcause.load.spans import Kind, Span
from rootcause.load.traced import TracedSpan
from tests.world.mesh_sim import Fault, Shop

MS = 1_000_000


def traced(
    id: str,
    parent: str,
    service: str,
    kind: Kind,
    start_ms: float,
    ms: float,
    *,
    peer: str = "",
    status: str = "",
    reason: str = "",
    failed: bool = False,
) -> TracedSpan:
    """A span of one trace."""
    at = 1_700_000_000_000_000_000 + int(start_ms * MS)
    span = Span("t" * 32, id, parent, service, "v1", "", "op", kind, at, int(ms * MS), failed, peer)
    return TracedSpan(span, status, reason)


def test_the_failure_began_where_no_call_beneath_failed() -> None:
    story = tell(
        [
            traced("1", "", "front", Kind.SERVER, 0, 100, status="500", failed=True),
            traced("2", "1", "front", Kind.CLIENT, 10, 80, peer="cart", status="500", failed=True),
            traced("3", "2", "cart", Kind.SERVER, 15, 70, status="500", failed=True),
            traced("4", "3", "cart", Kind.CLIENT, 20, 10, peer="stock", status="200"),
        ]
    )
    assert story.failed
    assert story.origin is not None
    assert story.origin.span == "3"
    assert story.summary == (
        "front [op] answered 500 after 100 ms: cart failed with 500 by its own doing: none of its calls did"
    )
    assert [(hop.span, hop.depth) for hop in story.hops] == [("1", 0), ("2", 1), ("3", 2), ("4", 3)]


def test_of_several_attempts_the_last_one_is_the_answer() -> None:
    first = traced("2", "1", "front", Kind.CLIENT, 1, 5, peer="cart", reason="connect_refused", failed=True)
    last = traced("3", "1", "front", Kind.CLIENT, 8, 90, peer="cart", reason="upstream_timeout", failed=True)
    story = tell([last, first, traced("1", "", "front", Kind.SERVER, 0, 100, status="504", failed=True)])
    assert story.origin is not None
    assert story.origin.reason == "upstream_timeout"


def test_a_refusal_by_rule_is_what_went_wrong_although_nothing_failed() -> None:
    story = tell([traced("1", "", "front", Kind.SERVER, 0, 1, status="429", reason="rate_limited")])
    assert story.failed
    assert story.summary.endswith("answered 429 after 1.0 ms: the request to front ended in rate_limited")


def test_a_denial_names_the_rule_and_what_it_missed() -> None:
    denied = traced("2", "1", "pay", Kind.SERVER, 1, 1, status="403", reason="not_allowed")
    denied = replace(denied, rule="pay/orders", missed="caller a, not b")
    client = traced("1", "", "front", Kind.CLIENT, 0, 3, peer="pay", status="403", reason="not_allowed")
    story = tell([client, denied])
    assert story.origin is not None
    assert (story.origin.rule, story.origin.missed) == ("pay/orders", "caller a, not b")
    assert story.summary.endswith(
        "the request to pay ended in not_allowed: the nearest rule is pay/orders, and it misses caller a, not b"
    )
    assert tell([replace(denied, missed="")]).summary.endswith("ended in not_allowed, by rule pay/orders")


def test_a_retry_that_helped_is_no_failure_and_the_time_is_told() -> None:
    story = tell(
        [
            traced("1", "", "front", Kind.SERVER, 0, 100, status="200"),
            traced("2", "1", "front", Kind.CLIENT, 0, 10, peer="cart", failed=True),
            traced("3", "1", "front", Kind.CLIENT, 20, 70, peer="cart", status="200"),
            traced("4", "3", "cart", Kind.SERVER, 21, 60, status="200"),
        ]
    )
    assert story.origin is None
    assert story.summary == "front [op] answered 200 after 100 ms; nothing failed. cart took 60 ms of it (60 %)"
    assert {spent.where: round(spent.ms) for spent in story.spent} == {"cart": 60, "front": 20, "front -> cart": 20}


def test_the_time_of_calls_side_by_side_is_told_once() -> None:
    story = tell(
        [
            traced("1", "", "front", Kind.SERVER, 0, 100),
            traced("2", "1", "cart", Kind.SERVER, 5, 90),
            traced("3", "1", "catalog", Kind.SERVER, 5, 80),
        ]
    )
    assert {spent.where: round(spent.ms) for spent in story.spent} == {"cart": 90, "front": 10}
    assert sum(spent.share for spent in story.spent) == pytest.approx(1.0)


def test_a_clock_that_is_off_does_not_move_time_between_hops() -> None:
    def at(skew_ms: float) -> TraceStory:
        return tell(
            [
                traced("2", "", "front", Kind.CLIENT, 0, 100, peer="cart"),
                traced("3", "2", "cart", Kind.SERVER, 10 + skew_ms, 60),
            ]
        )

    assert at(0).spent == at(5_000).spent == at(-5_000).spent


def test_what_is_missing_is_counted_and_the_rest_is_told() -> None:
    story = tell(
        [
            traced("9", "lost", "cart", Kind.SERVER, 30, 10, failed=True),
            traced("1", "", "front", Kind.SERVER, 50, 20, status="200"),
        ]
    )
    assert (story.hops[0].span, story.orphans) == ("1", 1)
    assert not story.failed


def test_spans_that_are_each_others_parents_end() -> None:
    story = tell([traced("1", "2", "a", Kind.SERVER, 0, 1), traced("2", "1", "a", Kind.SERVER, 0, 1)])
    assert {hop.span for hop in story.hops} == {"1", "2"}


def test_own_times_of_simulated_requests_add_up_and_failures_begin_at_the_fault() -> None:
    spans = Shop(3, faults=(Fault("errors", "payments", 0.5, 0.0),)).run(1_000.0, 20)
    random.Random(1).shuffle(spans)
    by_trace: dict[str, list[TracedSpan]] = {}
    for proxied in spans:
        by_trace.setdefault(proxied.span.trace, []).append(TracedSpan(proxied.span))
    stories = [tell(trace) for trace in by_trace.values()]
    assert {story.origin.service for story in stories if story.origin} == {"payments"}
    assert any(not story.failed for story in stories)
    assert all(0 <= hop.own_ms <= hop.ms for story in stories for hop in story.hops)
