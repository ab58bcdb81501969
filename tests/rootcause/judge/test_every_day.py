"""A daily peak is no symptom and a nightly lull nobody's fault, while a fault at the same hour is still one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from rootcause.judge.diagnose import Verdict, diagnose
from rootcause.load.from_spans import window_of
from rootcause.load.window import Interval, Window
from tests.rootcause.windows import FAULT_AT, windows
from tests.world.mesh_sim import Fault, Shop

DAY_S = 86_400.0
MINUTES = 6
PEAKS = {
    "slow": Fault("latency", "catalog", 40, FAULT_AT),
    "failing": Fault("errors", "recommendations", 0.3, FAULT_AT),
    "far": Fault("link", "inventory", 60, FAULT_AT, source="cart"),
    "idle": Fault("skip", "inventory", 0, FAULT_AT, source="cart"),
}


def day(ago: int, *faults: Fault, rate: float = 3.0) -> Window:
    """The same time so many days ago, by the minute."""
    start = FAULT_AT // 60 * 60 - ago * DAY_S
    then = tuple(replace(fault, start=start) for fault in faults)
    interval = Interval(start, start + 60 * MINUTES)
    spans = [one.span for one in Shop(100 + ago, rate=rate, faults=then).run(start, interval.seconds)]
    return window_of(spans, [interval], step_s=60.0)


def verdict(today: Sequence[Fault], days: Sequence[Window]) -> Verdict:
    baseline, observed = windows(11, *today)
    return diagnose(replace(baseline, steps=()), replace(observed, steps=()), days=days)


@pytest.mark.parametrize("peak", PEAKS.values(), ids=PEAKS)
def test_what_every_day_brings_is_no_trouble(peak: Fault) -> None:
    assert verdict([peak], []).suspects
    found = verdict([peak], [day(1, peak), day(2, peak), day(3)])
    assert (found.state, found.suspects) == ("nothing_wrong", ())


@pytest.mark.parametrize("peak", PEAKS.values(), ids=PEAKS)
def test_other_days_that_were_calm_take_nothing_back(peak: Fault) -> None:
    found = verdict([peak], [day(1), day(2), day(3, peak)])
    assert found.suspects[0].service == verdict([peak], []).suspects[0].service


def test_a_fault_at_the_peak_is_found() -> None:
    peak, fault = PEAKS["slow"], Fault("latency", "payments", 300, FAULT_AT)
    found = verdict([peak, fault], [day(1, peak), day(2, peak)])
    assert [suspect.service for suspect in found.suspects[: found.blamed]] == ["payments"]
