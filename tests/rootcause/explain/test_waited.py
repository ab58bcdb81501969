"""What requests wait for longer than they did: parts that add up, and what ran beside."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rootcause.detect.symptom import Symptom
from rootcause.explain.finding import OnPath
from rootcause.explain.waited import MOST, THE_REST, waited_for
from rootcause.explain.wording import waited
from rootcause.load.looked import Sample
from rootcause.load.spans import Span
from tests.world.mesh_sim import Fault, Shop

START = 1_700_000_000.0
HOME = Symptom("front", "GET /", "latency", 20.0, 100.0, 0.5, 30.0)


def spans(seed: int, *faults: Fault) -> tuple[Span, ...]:
    return tuple(one.span for one in Shop(seed, rate=10, faults=faults).run(START, 20))


def mean_ms(found: tuple[Span, ...], name: str) -> float:
    took = [
        span.duration_ns / 1e6 for span in found if span.service == "front" and span.name == name and not span.parent
    ]
    return sum(took) / len(took)


def parts(*faults: Fault, symptom: Symptom = HOME) -> tuple[dict[str, OnPath], float]:
    """By place, and the whole shift."""
    sample = Sample(spans(1), spans(2, *faults))
    shift = mean_ms(sample.now, symptom.route) - mean_ms(sample.before, symptom.route)
    return {part.where: part for part in waited_for(sample, symptom)}, shift


def test_the_parts_add_up_to_the_shift() -> None:
    found, shift = parts(Fault("latency", "catalog", 80, START))
    assert sum(part.added_ms for part in found.values()) == pytest.approx(shift, abs=0.1)
    assert found["catalog"].added_ms == pytest.approx(shift, rel=0.3)
    assert next(iter(found)) == "catalog"


def test_what_runs_beside_a_slower_call_is_not_waited_for() -> None:
    """The front page asks catalog, recommendations and cart side by side: cart's delay hides in a longer one."""
    found, shift = parts(Fault("latency", "recommendations", 300, START), Fault("latency", "cart", 100, START))
    assert found["recommendations"].added_ms == pytest.approx(shift, rel=0.2)
    assert found["cart"].added_ms < 10
    assert found["cart"].beside_ms > 90
    told = waited(tuple(found.values()))
    assert "cart 1" in told.split("; beside it, holding up nobody: ")[1]


def test_a_mesh_names_routes_without_their_method() -> None:
    found, _ = parts(Fault("latency", "catalog", 80, START))
    sample = Sample(spans(1), spans(2, Fault("latency", "catalog", 80, START)))
    assert waited_for(sample, replace(HOME, route="/")) == tuple(found.values())


def test_long_lists_keep_their_sum() -> None:
    sample = Sample(spans(1), spans(2))
    every = waited_for(sample, replace(HOME, route=""))
    assert len(every) == MOST + 1
    assert every[-1].where == THE_REST


@pytest.mark.parametrize("symptom", [replace(HOME, signal="errors"), replace(HOME, service="nobody")])
def test_no_path_where_there_is_none(symptom: Symptom) -> None:
    assert waited_for(Sample(spans(1), spans(2)), symptom) == ()
