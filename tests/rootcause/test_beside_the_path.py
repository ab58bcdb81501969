"""What becomes slower without anybody waiting for it is not blamed before what users wait for, live and recorded."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from rootcause.attribute.on_path import on_path, waited_for
from rootcause.incidents.vigil import Vigil
from rootcause.judge.diagnose import Verdict, diagnose
from rootcause.load.from_spans import window_of
from rootcause.load.looked import Looked, Sample
from rootcause.load.spans import Kind, Span
from rootcause.load.window import STEP_S, Interval, Window

START = 1_650_000_000.0
NORMAL, QUESTION = Interval(START, START + 100), Interval(START + 120, START + 140)
MS = 1_000_000
RATE = 10


@dataclass(frozen=True)
class Takes:
    """Milliseconds of what the front waits for: the cart, then search and ads side by side; and of the audit, which
    goes on when it has answered."""

    cart: float = 20
    search: float = 200
    ads: float = 50
    audit: float = 500


def requests(takes: Takes, interval: Interval) -> Iterator[Span]:
    """Each service takes up to a tenth more or less."""
    dice = random.Random(repr(takes))
    for index in range(round(RATE * interval.seconds)):
        ms = {name: round(dice.uniform(0.9, 1.1) * took, 3) for name, took in vars_of(takes).items()}
        at = interval.start * 1000 + 1000 * index / RATE
        parallel = at + 5 + ms["cart"]
        end = parallel + max(ms["search"], ms["ads"]) + 5
        trace = f"{interval.start}-{index}"
        yield span(trace, "front", "", Kind.SERVER, "front", at, end)
        yield from call(trace, "cart", at + 5, ms["cart"])
        yield from call(trace, "search", parallel, ms["search"])
        yield from call(trace, "ads", parallel, ms["ads"])
        yield from call(trace, "audit", at + 5, ms["audit"])


def vars_of(takes: Takes) -> dict[str, float]:
    return {name: getattr(takes, name) for name in Takes.__dataclass_fields__}


def call(trace: str, callee: str, at: float, ms: float) -> Iterator[Span]:
    yield span(trace, f"to {callee}", "front", Kind.CLIENT, "front", at, at + ms)
    yield span(trace, callee, f"to {callee}", Kind.SERVER, callee, at + 0.5, at + ms - 0.5)


def span(trace: str, id: str, parent: str, kind: Kind, service: str, start_ms: float, end_ms: float) -> Span:
    begin, end = round(start_ms * MS), round(end_ms * MS)
    return Span(trace, id, parent, service, "", "", id, kind, begin, end - begin, failed=False)


def recorded(takes: Takes) -> Verdict:
    before, now = list(requests(Takes(), NORMAL)), list(requests(takes, QUESTION))
    observed = replace(window_of(now, [QUESTION]), on_path=on_path(before, now, {"front"}))
    return diagnose(window_of(before, [NORMAL]), observed)


def live(takes: Takes) -> Verdict:
    before, now = list(requests(Takes(), NORMAL)), list(requests(takes, QUESTION))

    def load(intervals: object, _: object) -> Window:
        return observed if intervals == [QUESTION] else baseline

    def look(baseline: Window, observed: Window, _: float) -> Looked:
        return Looked(baseline, observed, sample=Sample(tuple(before), tuple(now)))

    baseline, observed = window_of(before, [NORMAL]), window_of(now, [QUESTION])
    return Vigil(load, closer=look).compare(QUESTION.end - STEP_S / 2).verdict


@pytest.mark.parametrize("judged", [recorded, live])
@pytest.mark.parametrize(
    ("takes", "culprit"),
    [
        (Takes(cart=80, audit=900), "cart"),
        (Takes(cart=80, ads=180), "cart"),
        (Takes(search=300, audit=2000), "search"),
        (Takes(cart=120, ads=250), "cart"),
        (Takes(cart=60, ads=350), "ads"),
    ],
    ids=["after the answer", "behind a longer one", "much of it", "half of it", "mostly waited for"],
)
def test_whoever_is_waited_for_is_blamed_first(judged: object, takes: Takes, culprit: str) -> None:
    assert callable(judged)
    assert judged(takes).suspects[0].service == culprit


@pytest.mark.parametrize("judged", [recorded, live])
def test_what_nobody_waits_for_is_told_where_nothing_else_is_wrong(judged: object) -> None:
    assert callable(judged)
    assert [one.service for one in judged(Takes(audit=900)).suspects] == ["audit"]
    assert judged(Takes()).suspects == ()


def test_of_a_call_that_became_the_longer_one_the_rest_of_it_was_waited_for() -> None:
    before, now = list(requests(Takes(), NORMAL)), list(requests(Takes(ads=250, audit=900, cart=40), QUESTION))
    parts = on_path(before, now, {"front"})
    assert parts["cart"] == 1
    assert parts["audit"] == 0
    assert 0.15 < parts["ads"] < 0.4
    assert waited_for({"audit": 400.0, "cart": 20.0, "other": 5.0}, parts) == {"cart": 20.0, "other": 5.0}


def test_few_requests_tell_nothing() -> None:
    before = list(requests(Takes(), NORMAL))
    assert on_path(before, requests(Takes(audit=900), Interval(QUESTION.start, QUESTION.start + 0.5)), {"front"}) == {}
