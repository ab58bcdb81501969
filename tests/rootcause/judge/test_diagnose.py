"""The whole pure engine on the simulated shop: the culprit first, as far down as it goes, and silence otherwise."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rootcause.judge.diagnose import BARS, diagnose
from rootcause.load.window import Interval, Served, Window
from tests.rootcause.windows import FAULT_AT, START, verdict, windows
from tests.world.mesh_sim import Fault

FAULTS = [
    Fault("latency", "payments", 300, FAULT_AT),
    Fault("latency", "front", 50, FAULT_AT),
    Fault("latency", "inventory", 40, FAULT_AT),
    Fault("errors", "inventory", 0.3, FAULT_AT),
    Fault("errors", "catalog", 0.1, FAULT_AT),
    Fault("cpu", "cart", 8, FAULT_AT),
    Fault("cpu", "inventory", 6, FAULT_AT),
    Fault("link", "inventory", 200, FAULT_AT, source="cart"),
    Fault("link", "payments", 150, FAULT_AT, source="checkout"),
    Fault("link", "catalog", 100, FAULT_AT),
    Fault("version", "recommendations", 150, FAULT_AT, version="v2"),
    Fault("errors", "recommendations", 0.5, FAULT_AT, version="v2"),
    Fault("crash", "payments", 0, FAULT_AT, instance="payments-1"),
    Fault("crash", "shipping", 0, FAULT_AT),
]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.kind}-{fault.service}{fault.version}")
def test_names_the_culprit_first(fault: Fault, seed: int) -> None:
    found = verdict(seed, fault)
    assert found.state == "degraded"
    assert found.suspects[0].service == fault.service
    if fault.kind == "link":
        assert {link.destination for link in found.links} == {fault.service}
        sources = {link.source for link in found.links}
        assert sources == ({fault.source} if fault.source else {"front", "recommendations"})
    else:
        assert found.links == ()
        assert found.narrowed.version == fault.version
        assert fault.instance in ("", found.narrowed.instance)


@pytest.mark.parametrize("seed", range(12))
def test_is_silent_when_nothing_is_wrong(seed: int) -> None:
    found = verdict(1000 + seed)
    assert (found.state, found.suspects) == ("nothing_wrong", ())


@pytest.mark.parametrize("factor", [1.5, 3.0])
def test_blames_nobody_when_the_host_slows_down_everybody(factor: float) -> None:
    found = verdict(8, Fault("host", "", factor, FAULT_AT))
    assert found.suspects == ()
    assert found.state == "degraded"
    assert "look at what all services share" in found.reason


def test_finds_the_culprit_on_a_host_that_slows_down_everybody() -> None:
    found = verdict(8, Fault("host", "", 1.7, FAULT_AT), Fault("latency", "payments", 200, FAULT_AT))
    assert found.suspects[0].service == "payments"


def test_a_better_shop_is_not_degraded() -> None:
    slow = Fault("latency", "payments", 300, 0.0)
    slow_before, _ = windows(5, slow)
    _, fast_now = windows(6)
    assert diagnose(slow_before, fast_now).state == "nothing_wrong"


def test_says_so_when_there_is_too_little_data() -> None:
    normal, question = windows(7)
    assert diagnose(Window((Interval(START, START + 60),)), question).state == "not_enough_data"
    nobody = diagnose(normal, Window((Interval(START, START + 20),)))
    assert nobody.state == "not_enough_data"
    assert nobody.reason.startswith("0 requests in the last 20 s, usually about ")


def test_the_same_windows_give_the_same_verdict() -> None:
    fault = Fault("errors", "catalog", 0.1, FAULT_AT)
    assert verdict(3, fault) == verdict(3, fault)


def test_a_service_that_few_use_is_blamed_for_its_own_failures() -> None:
    """One in seven of its requests fails, which is less than one in two hundred of all."""
    baseline, observed = windows(4, Fault("errors", "payments", 0.15, FAULT_AT), rate=60.0)
    found = diagnose(baseline, _hardly_used(observed, 12))
    assert found.suspects[0].error_part < BARS.errors
    assert [suspect.service for suspect in found.suspects[: found.blamed]] == ["payments"]


def test_a_service_that_few_use_is_blamed_for_what_a_person_feels() -> None:
    """Payments takes 300 ms more, which is little of all that everybody waits."""
    baseline, observed = windows(4, Fault("latency", "payments", 300, FAULT_AT), rate=60.0)
    found = diagnose(baseline, _hardly_used(observed, 200))
    assert found.suspects[0].time_part < BARS.time
    assert [suspect.service for suspect in found.suspects[: found.blamed]] == ["payments"]
    assert found.suspects[0].each_ms == pytest.approx(300, rel=0.2)


def _hardly_used(observed: Window, factor: int) -> Window:
    """As if everything but the checkout were asked for so many times as often."""
    few = "POST /checkout"
    served = tuple(_times(row, factor) if row.entry and row.route != few else row for row in observed.served)
    return replace(observed, served=served)


def _times(row: Served, factor: int) -> Served:
    """As if so many more had asked, with the same answers."""
    return replace(
        row,
        buckets=tuple(
            replace(
                b,
                calls=b.calls * factor,
                total_ms=b.total_ms * factor,
                own_ms=b.own_ms * factor,
                own_calls=b.own_calls * factor,
            )
            for b in row.buckets
        ),
    )
