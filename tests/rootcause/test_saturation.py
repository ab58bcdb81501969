"""Something that became full is told of, something that always was is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rootcause.explain.proof import explain
from rootcause.explain.queries import RollupQueries
from rootcause.judge.diagnose import Verdict, diagnose
from rootcause.load.usage import Sample, used
from rootcause.load.window import Usage
from tests.rootcause.windows import FAULT_AT, NORMAL, QUESTION, windows
from tests.world.mesh_sim import Fault


def usage(service: str, *shares: float, instance: str = "", resource: str = "cpu") -> Usage:
    return Usage(service, instance or f"{service}-1", resource, shares)


def verdict(before: tuple[Usage, ...], now: tuple[Usage, ...], *faults: Fault) -> Verdict:
    baseline, observed = windows(3, *faults)
    return diagnose(replace(baseline, usage=before), replace(observed, usage=now))


CALM = usage("cart", 0.02, 0.03, 0.02, 0.05, 0.02, 0.02, 0.04)


def test_a_processor_at_its_limit_is_the_finding_when_users_feel_nothing_yet() -> None:
    before, now = (CALM,), (usage("cart", 0.4, 0.99),)
    found = verdict(before, now)
    assert [suspect.service for suspect in found.suspects] == ["cart"]
    baseline, observed = windows(3)
    told = explain(found, baseline, observed, RollupQueries(baseline, observed), incident="x", now=QUESTION.end)
    assert told.title == "cart (cart-1) is at its limit: cpu in use 4 % -> 99 %"
    assert (told.symptom.signal, told.culprit.instance) == ("saturation", "cart-1")
    assert told.contribution.share == 1.0


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ((CALM,), (usage("cart", 0.7),)),
        ((usage("cart", *[0.85] * 9),), (usage("cart", 0.99),)),
        ((), (usage("cart", 0.99),)),
        ((CALM,), (usage("cart", 0.99, resource="memory"),)),
    ],
    ids=["not full", "always full", "no normal time", "another resource"],
)
def test_what_is_not_new_or_not_full_is_left_alone(before: tuple[Usage, ...], now: tuple[Usage, ...]) -> None:
    assert verdict(before, now).state == "nothing_wrong"


def test_a_new_instance_is_compared_with_those_before_it() -> None:
    assert verdict((CALM,), (usage("cart", 0.95, instance="cart-9"),)).suspects[0].service == "cart"


def test_what_users_feel_comes_before_what_is_full() -> None:
    found = verdict((CALM,), (usage("cart", 0.99),), Fault("latency", "payments", 300, FAULT_AT))
    assert [suspect.service for suspect in found.suspects][:2] == ["payments", "cart"]


def test_samples_are_kept_by_instance_inside_the_intervals() -> None:
    samples = [Sample(NORMAL.start + at, "cart", "cart-1", "cpu", at / 100) for at in (-1, 0, 5, 1e6)]
    assert used(samples, [NORMAL]) == (usage("cart", 0.0, 0.05),)
