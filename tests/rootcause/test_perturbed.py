"""The verdict hangs on what happened, not on names, the clock, the order of spans, or on having each of them once."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from rootcause.judge.diagnose import Verdict, diagnose
from rootcause.load.callees import callees_of
from rootcause.load.from_spans import window_of
from rootcause.load.spans import Span
from rootcause.load.window import Interval
from tests.rootcause.systems import Strangers, Trouble

START = 1_650_000_000.0
NORMAL, QUESTION = Interval(START, START + 150), Interval(START + 180, START + 230)
AWAY_S = -40_000_003.7
"""Into another year, and off the edges of buckets."""

Spans = list[Span]
Perturb = Callable[[Spans], Spans]

TROUBLES = [("slow", "postgresql", 60), ("fail", "recommendationservice", 0.5), ("far", "emailservice", 80)]
HARDER = [*TROUBLES, ("far", "currencyservice", 60), ("slow", "frontend", 40), ("repeat", "recommendationservice", 6)]


def as_it_was(spans: Spans) -> Spans:
    return spans


def other(name: str) -> str:
    """The same for the same name."""
    return f"x{random.Random(name).getrandbits(40):x}" if name else name


def renamed(spans: Spans) -> Spans:
    """Every word is another: services, peers, instances and operations."""
    return [
        replace(
            span,
            service=other(span.service),
            peer=other(span.peer),
            instance=other(span.instance),
            name=other(span.name),
        )
        for span in spans
    ]


def at_another_time(spans: Spans) -> Spans:
    return [replace(span, start_ns=span.start_ns + round(AWAY_S * 1e9)) for span in spans]


def thinned(spans: Spans) -> Spans:
    dice = random.Random(3)
    return [span for span in spans if dice.random() < 0.7]


def told_twice(spans: Spans) -> Spans:
    dice = random.Random(4)
    found = spans + [span for span in spans if dice.random() < 0.3]
    dice.shuffle(found)
    return found


def on_other_clocks(spans: Spans) -> Spans:
    """Hosts disagree by minutes, and ever more so."""
    return [replace(span, start_ns=span.start_ns + _wrong_ns(span)) for span in spans]


def _wrong_ns(span: Span) -> int:
    fixed_s, drift = ((0, 0.0), (95, 0.002), (-140, 0.0), (33, -0.001))[sum(map(ord, span.service)) % 4]
    return round((fixed_s + drift * (span.start_ns / 1e9 - START)) * 1e9)


def verdict(perturb: Perturb, *troubles: Trouble, only_now: bool = False) -> Verdict:
    normal = Strangers(7).run(NORMAL.start, NORMAL.seconds)
    normal = normal if only_now else perturb(normal)
    now = perturb(Strangers(8, troubles=troubles).run(QUESTION.start, QUESTION.seconds))
    away_s = AWAY_S if perturb is at_another_time else 0.0
    before, since = (Interval(one.start + away_s, one.end + away_s) for one in (NORMAL, QUESTION))
    callees = callees_of(normal)
    return diagnose(window_of(normal, [before], callees=callees), window_of(now, [since], callees=callees))


@pytest.mark.parametrize(
    ("perturb", "kind", "service", "value"),
    [(perturb, *trouble) for perturb in (renamed, at_another_time, told_twice) for trouble in TROUBLES]
    + [(perturb, *trouble) for perturb in (thinned, on_other_clocks) for trouble in HARDER],
)
def test_the_culprit_is_the_same(perturb: Perturb, kind: str, service: str, value: float) -> None:
    trouble = Trouble(kind, service, value, QUESTION.start)
    told = verdict(as_it_was, trouble).suspects[0]
    found = verdict(perturb, trouble).suspects[0]
    assert found.service == (other(told.service) if perturb is renamed else told.service)


@pytest.mark.parametrize("perturb", [renamed, at_another_time, thinned, told_twice, on_other_clocks])
def test_nobody_is_blamed_when_nothing_is_wrong(perturb: Perturb) -> None:
    assert verdict(perturb).suspects == ()


@pytest.mark.parametrize(("kind", "service", "value"), HARDER)
def test_the_culprit_is_the_same_when_spans_begin_to_be_lost(kind: str, service: str, value: float) -> None:
    trouble = Trouble(kind, service, value, QUESTION.start)
    found = verdict(thinned, trouble, only_now=True).suspects[0]
    assert found.service.split(":")[0] == service


@pytest.mark.parametrize("perturb", [told_twice, thinned])
def test_spans_that_begin_to_come_twice_or_not_at_all_are_no_fault(perturb: Perturb) -> None:
    assert verdict(perturb, only_now=True).suspects == ()
