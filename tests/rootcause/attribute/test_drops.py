"""Who stopped calling whom, by the roll-ups' sums alone: no steps, which only spans tell."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from rootcause.explain.proof import explain
from rootcause.explain.queries import RollupQueries
from rootcause.judge.diagnose import Verdict, diagnose
from rootcause.load.from_spans import window_of
from rootcause.load.spans import Span
from rootcause.load.window import Window
from tests.rootcause.windows import FAULT_AT, NORMAL, QUESTION, START, windows
from tests.world.mesh_sim import Fault, Shop

ASK = "POST /checkout"


def counted(seed: int, *faults: Fault, rate: float = 15.0) -> tuple[Window, Window]:
    baseline, observed = windows(seed, *faults, rate=rate)
    return replace(baseline, steps=()), replace(observed, steps=())


def recorded(now: list[Span], rate: float = 15.0) -> Verdict:
    """What the engine says of these spans after healthy normal time."""
    before = [one.span for one in Shop(5, rate=rate).run(START, NORMAL.seconds)]
    baseline, observed = window_of(before, [NORMAL]), window_of(now, [QUESTION])
    return diagnose(replace(baseline, steps=()), replace(observed, steps=()))


def spans(seed: int = 6, rate: float = 15.0) -> list[Span]:
    return [one.span for one in Shop(seed, rate=rate).run(QUESTION.start, QUESTION.seconds)]


@pytest.mark.parametrize("seed", [1, 2])
def test_whoever_stopped_calling_is_named(seed: int) -> None:
    pair = counted(seed, Fault("skip", "inventory", 0, FAULT_AT, source="cart"))
    found = diagnose(*pair)
    assert [suspect.service for suspect in found.suspects[: found.blamed]] == ["cart"]
    (drop,) = found.suspects[0].drops
    assert (drop.source, drop.destination, drop.fall.observed) == ("cart", "inventory", 0.0)
    sheet = explain(found, *pair, RollupQueries(*pair), incident="i", now=QUESTION.end)
    assert sheet.title.startswith("cart: cart hardly calls inventory any more: 0.00 calls a request, usually 1.00")
    assert (sheet.symptom.service, sheet.symptom.signal, sheet.symptom.unit) == (
        "inventory",
        "throughput",
        "requests/s",
    )
    assert sheet.symptom.observed == 0 < sheet.symptom.baseline
    assert "otel.mesh_edges" in sheet.evidence[0].sql


def test_whom_nobody_calls_any_more_is_what_callers_have_in_common() -> None:
    found = diagnose(*counted(3, Fault("skip", "catalog", 0, FAULT_AT)))
    assert [suspect.service for suspect in found.suspects[: found.blamed]] == ["catalog"]


def test_calls_that_a_failure_prevents_are_of_the_failure() -> None:
    """Half the checkouts fail at payments, and never come to ship."""
    found = diagnose(*counted(4, Fault("errors", "payments", 0.9, FAULT_AT), rate=60))
    assert [suspect.service for suspect in found.suspects[: found.blamed]] == ["payments"]


def test_a_quiet_night_is_nobody_s() -> None:
    found = recorded(spans(rate=1.5))
    assert (found.state, found.suspects) == ("nothing_wrong", ())
    assert "users ask less: " in found.reason


def test_what_users_no_longer_ask_for_is_told_and_nobody_blamed() -> None:
    now = spans(rate=40)
    bought = {span.trace for span in now if span.name == ASK}
    found = recorded([span for span in now if span.trace not in bought], rate=40)
    assert (found.state, found.suspects) == ("degraded", ())
    assert [(symptom.service, symptom.route, symptom.signal) for symptom in found.symptoms] == [
        ("front", ASK, "throughput")
    ]
    assert "look at what is before it" in found.reason


def test_many_more_requests_of_one_kind_are_no_drop_of_another() -> None:
    now = spans()
    shops = [one.span for seed in range(7, 11) for one in Shop(seed, rate=15).run(QUESTION.start, QUESTION.seconds)]
    bought = {span.trace for span in shops if span.name == ASK}
    found = recorded([*now, *(span for span in shops if span.trace in bought)])
    assert (found.state, found.suspects) == ("nothing_wrong", ())


def test_lost_spans_are_no_drop() -> None:
    dice = random.Random(1)
    found = recorded([span for span in spans() if dice.random() < 0.5])
    assert all(not suspect.drops for suspect in found.suspects)
