"""What lost spans leave behind: how many there were, and how long the calls among them took."""

from __future__ import annotations

import random

from rootcause.load.callees import callees_of
from rootcause.load.from_spans import window_of
from rootcause.load.lost import Lost, lost_of
from rootcause.load.spans import Kind, Span
from rootcause.load.unseen import Call, Seen, alone_ns, unseen_ns
from rootcause.load.window import STEP_S, Interval, calls

MS = 1_000_000
AT = 1_700_000_000
REQUESTS = 300


def span(trace: int, id: str, parent: str, service: str, kind: Kind, start_ms: float, ms: float) -> Span:
    begin = (AT * 1000 + trace * 100) * MS + round(start_ms * MS)
    return Span(f"{trace}", id, parent, service, "", "", f"work {id}", kind, begin, round(ms * MS), failed=False)


def shop(ms: float = 20) -> list[Span]:
    """Requests of the front that take 10 ms themselves and wait for the cart, then the catalog."""
    found = []
    for trace in range(REQUESTS):
        found += [
            span(trace, "a", "", "front", Kind.SERVER, 0, 30 + ms),
            span(trace, "b", "a", "front", Kind.CLIENT, 5, ms),
            span(trace, "c", "b", "cart", Kind.SERVER, 6, ms - 2),
            span(trace, "d", "a", "front", Kind.CLIENT, 10 + ms, 20),
            span(trace, "e", "d", "catalog", Kind.SERVER, 11 + ms, 18),
        ]
    return found


def thinned(spans: list[Span], share: float) -> list[Span]:
    dice = random.Random(5)
    return [span for span in spans if dice.random() >= share]


def lost(spans: list[Span]) -> Lost:
    return lost_of(spans, {(span.trace, span.id): span for span in spans})


def own_ms(spans: list[Span]) -> float:
    """The mean of the front's requests."""
    window = window_of(spans, [Interval(AT, AT + REQUESTS)], callees=callees_of(spans))
    rows = [row for row in window.served if row.service == "front"]
    return sum(b.own_ms for row in rows for b in row.buckets) / sum(calls(row.buckets) for row in rows)


def test_own_time_is_the_same_without_a_third_of_the_spans() -> None:
    assert own_ms(shop()) == 10
    assert abs(own_ms(thinned(shop(), 0.3)) - 10) < 1
    assert abs(own_ms(thinned(shop(ms=80), 0.3)) - 10) < 1


def test_lost_spans_are_counted_by_those_that_have_no_parent() -> None:
    found = lost(thinned(shop(), 0.3))
    assert abs(found.shares["front"] - 0.3) < 0.06
    assert found.shares["front"] < found.at_most("front") < 0.5
    assert found.at_most("catalog") == found.overall
    assert abs(window_of(thinned(shop(), 0.3), [Interval(AT, AT + REQUESTS)]).captured["front"] - 0.7) < 0.06


def test_parents_that_nobody_ever_records_are_not_lost() -> None:
    outside = [span(trace, "a", "browser", "front", Kind.SERVER, 0, 10) for trace in range(REQUESTS)]
    assert lost(outside) == Lost()
    assert set(lost(shop()).captured().values()) == {1}


def test_a_call_without_its_request_is_none_from_outside() -> None:
    spans = [one for one in shop() if one.id != "a" or int(one.trace) % 2]
    window = window_of(spans, [Interval(AT, AT + REQUESTS)])
    assert window.entry_calls == REQUESTS / 2
    assert sum(calls(row.buckets) for row in window.called if row.by_source) == 2 * REQUESTS


def test_of_calls_side_by_side_a_lost_one_hides_only_what_it_took_alone() -> None:
    both = [Call(0, 50 * MS, "cart", measured=True), Call(10 * MS, 70 * MS, "catalog", measured=True)]
    assert alone_ns(both) == {"cart": 10 * MS, "catalog": 20 * MS}
    request = span(1, "a", "", "front", Kind.SERVER, 0, 80)
    requests = [Seen(request, both)] * 70 + [Seen(request, both[:1])] * 30
    hidden = unseen_ns(requests, Lost(overall=0.3), STEP_S)
    assert hidden[0] == 0
    assert hidden[-1] == 20 * MS


def test_calls_that_only_some_requests_make_are_lost_of_those() -> None:
    """A third of the requests call; of 70 that show it, 30 are to be expected among all those that do not."""
    request = span(1, "a", "", "front", Kind.SERVER, 0, 80)
    one = [Call(0, 50 * MS, "cart", measured=True)]
    hidden = unseen_ns([Seen(request, one)] * 70 + [Seen(request, [])] * 230, Lost(overall=0.3), STEP_S)
    assert abs(sum(hidden) - 30 * 50 * MS) < MS
