"""Faults in a system of another make: no mesh, applications that trace themselves, stores without spans."""

from __future__ import annotations

import pytest

from rootcause.judge.diagnose import Verdict, diagnose
from rootcause.load.callees import callees_of
from rootcause.load.from_spans import window_of
from rootcause.load.window import Interval
from tests.rootcause.systems import Instrumented, Strangers, Trouble

START = 1_650_000_000.0
NORMAL = Interval(START, START + 150)
QUESTION = Interval(START + 180, START + 230)


def verdict(*troubles: Trouble, seed: int = 7, how: Instrumented | None = None) -> Verdict:
    """What the engine says when this goes wrong."""
    told = how or Instrumented()
    normal = Strangers(seed, how=told).run(NORMAL.start, NORMAL.seconds)
    now = Strangers(seed + 1, troubles=troubles, how=told).run(QUESTION.start, QUESTION.seconds)
    callees = callees_of(normal)
    return diagnose(window_of(normal, [NORMAL], callees=callees), window_of(now, [QUESTION], callees=callees))


def first(found: Verdict) -> str:
    """Who is blamed, without the port that a peer is named by."""
    return found.suspects[0].service.split(":")[0] if found.blamed else ""


@pytest.mark.parametrize(
    ("kind", "service", "value"),
    [
        ("slow", "postgresql", 60),
        ("busy", "currencyservice", 15),
        ("fail", "recommendationservice", 0.5),
        ("swallow", "cartservice", 1),
        ("repeat", "recommendationservice", 6),
        ("far", "emailservice", 80),
        ("loss", "redis", 0.3),
    ],
)
def test_names_the_culprit(kind: str, service: str, value: float) -> None:
    assert first(verdict(Trouble(kind, service, value, QUESTION.start))) == service


@pytest.mark.parametrize("kind", ["dead", "refuse"])
@pytest.mark.parametrize(
    "how",
    [Instrumented(), Instrumented(peers=False), Instrumented(errors=False), Instrumented(skew_s=9.0)],
    ids=["all of it", "no peers", "no errors", "skewed clocks"],
)
def test_whoever_does_not_answer_sends_no_spans_and_is_named_all_the_same(kind: str, how: Instrumented) -> None:
    found = verdict(Trouble(kind, "paymentservice", 1, QUESTION.start), how=how)
    assert first(found) == "paymentservice"


@pytest.mark.parametrize(
    "how",
    [Instrumented(), Instrumented(clients=False), Instrumented(kept=0.9), Instrumented(skew_s=9.0)],
    ids=["all of it", "no clients", "spans lost", "skewed clocks"],
)
def test_is_silent_when_nothing_is_wrong(how: Instrumented) -> None:
    assert verdict(how=how).suspects == ()


def test_a_query_in_a_loop_is_of_the_caller() -> None:
    found = verdict(Trouble("repeat", "recommendationservice", 6, QUESTION.start))
    steps = found.suspects[0].steps
    assert steps is not None
    assert steps.name == "-> productcatalogservice (2 times)"


@pytest.mark.parametrize("kind", ["dead", "refuse"])
def test_a_silent_service_is_named_where_callers_record_no_calls(kind: str) -> None:
    found = verdict(Trouble(kind, "paymentservice", 1, QUESTION.start), how=Instrumented(clients=False))
    assert first(found) == "paymentservice"
    assert found.suspects[0].silent is not None
    assert not found.suspects[0].silent.attempted


def test_a_caller_that_fails_before_it_calls_is_to_blame_itself() -> None:
    found = verdict(Trouble("fail", "checkoutservice", 1, QUESTION.start), how=Instrumented(clients=False))
    assert first(found) == "checkoutservice"


def test_spans_that_are_missing_are_no_fault() -> None:
    """Emails are sent, but their service's exporter is broken."""
    normal = Strangers(7).run(NORMAL.start, NORMAL.seconds)
    now = [span for span in Strangers(8).run(QUESTION.start, QUESTION.seconds) if span.service != "emailservice"]
    callees = callees_of(normal)
    found = diagnose(window_of(normal, [NORMAL], callees=callees), window_of(now, [QUESTION], callees=callees))
    assert found.suspects == ()
