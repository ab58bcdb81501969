"""What Prometheus reads of the engine holds now, or is not there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prometheus_client.exposition import generate_latest

from rootcause.telemetry import Telemetry


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    telemetry = Telemetry("", lambda: 1, lambda: 2, lambda: 3)
    yield telemetry
    telemetry.close()


def burning(telemetry: Telemetry) -> list[str]:
    lines = generate_latest(telemetry.metrics).decode().splitlines()
    return sorted(line.partition("burn")[2] for line in lines if line.startswith("whymesh_rootcause_objective_burn{"))


def test_what_is_open_and_waits_is_asked_for(telemetry: Telemetry) -> None:
    lines = generate_latest(telemetry.metrics).decode().splitlines()
    assert {
        "whymesh_rootcause_incidents_open 1.0",
        "whymesh_rootcause_alarms_open 2.0",
        "whymesh_rootcause_notifications_waiting 3.0",
    } <= set(lines)


def test_a_service_that_is_gone_burns_nothing_any_more(telemetry: Telemetry) -> None:
    telemetry.burning("slo", 300, {"front": 2.0, "old": 3.0})
    telemetry.burning("slo", 1_800, {"old": 1.0})
    telemetry.burning("other", 300, {"old": 4.0})
    telemetry.burning("slo", 300, {"front": 5.0, "new": 0.0})
    assert burning(telemetry) == [
        '{objective="other",service="old",window_s="300"} 4.0',
        '{objective="slo",service="front",window_s="300"} 5.0',
        '{objective="slo",service="new",window_s="300"} 0.0',
        '{objective="slo",service="old",window_s="1800"} 1.0',
    ]


def test_what_the_store_does_not_tell_is_not_said_either(telemetry: Telemetry) -> None:
    telemetry.burning("slo", 300, {"front": 2.0})
    telemetry.burning_unknown()
    assert burning(telemetry) == []
    telemetry.burning("slo", 300, {"front": 0.5})
    assert burning(telemetry) == ['{objective="slo",service="front",window_s="300"} 0.5']
