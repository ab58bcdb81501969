"""Calls in a loop are the caller's; calls that are tried again, or not made any more, are of whoever fails."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rootcause.explain.proof import explain
from rootcause.explain.queries import RollupQueries
from rootcause.judge.diagnose import Verdict, diagnose
from rootcause.load.from_spans import window_of
from rootcause.load.window import Interval, Window
from tests.rootcause.proving.faults import Effect, Effects
from tests.rootcause.proving.system import Call, Entry, Instance, Leaf, Route, Service, Style, System
from tests.rootcause.proving.traffic import Traffic

START = 1_700_000_000.0
NORMAL, QUESTION = Interval(START, START + 100), Interval(START + 110, START + 140)


def service(name: str, *calls: Call) -> Service:
    route = Route(f"GET /{name}", 4.0, (tuple((call,) for call in calls),))
    return Service(name, {route.name: route}, (Instance(f"{name}-0", "v1"),))


def chain(call: Call) -> System:
    """Users ask front, which asks cart like this, which asks a database."""
    services = (service("front", replace(call, to="cart", route="GET /cart")), service("cart", Call("redis")))
    entries = (Entry("front", "GET /front", 1.0),)
    leaves = {"redis": Leaf("redis", 3.0)}
    return System(1, {one.name: one for one in services}, leaves, entries, Style("route", "name"), 5.0, 0.0, 40.0)


def windows(system: System, *effects: Effect) -> tuple[Window, Window]:
    """Sums alone, as roll-ups hold them: no steps."""
    found = []
    for seed, interval in enumerate((NORMAL, QUESTION)):
        spans = Traffic(system, seed, Effects(effects, QUESTION.start)).run(interval.start, interval.seconds)
        found.append(replace(window_of(spans, [interval]), steps=()))
    return found[0], found[1]


def blamed(verdict: Verdict) -> list[str]:
    return [suspect.service for suspect in verdict.suspects[: verdict.blamed]]


def test_a_query_in_a_loop_is_seen_by_counts_alone_and_told() -> None:
    pair = windows(chain(Call("")), Effect("repeat", "redis", 8, source="cart"))
    found = diagnose(*pair)
    assert blamed(found) == ["cart"]
    sheet = explain(found, *pair, RollupQueries(*pair), incident="i", now=QUESTION.end)
    assert sheet.title.startswith("cart is slow: front GET /front takes")
    told = next(part for part in sheet.evidence if part.statement.startswith("cart calls redis"))
    assert "8.00 times a request, usually 1.00" in told.statement
    assert "otel.mesh_edges" in told.sql


def test_more_calls_that_nobody_waits_for_are_no_fault() -> None:
    system = chain(Call(""))
    free = replace(system, leaves={"redis": Leaf("redis", 0.001)})
    assert blamed(diagnose(*windows(free, Effect("repeat", "redis", 3, source="cart")))) == []


@pytest.mark.parametrize("call", [Call("", retries=2), Call("", breaker=True)], ids=["tries again", "breaks"])
def test_a_caller_that_copes_with_failures_is_not_to_blame(call: Call) -> None:
    pair = windows(chain(call), Effect("fail", "cart", 0.9))
    assert blamed(diagnose(*pair)) == ["cart"]


def test_what_a_caller_waits_between_its_tries_counts_against_whoever_fails() -> None:
    found = diagnose(*windows(chain(Call("", retries=2)), Effect("fail", "cart", 0.9)))
    assert found.suspects[0].time_part > 0.3
