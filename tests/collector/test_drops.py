"""A drop is counted every time and said every few seconds."""

from __future__ import annotations

import logging

import pytest
from prometheus_client import CollectorRegistry

from collector.drops import QUIET_S, Drops


def test_counted_each_time_said_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    registry, now = CollectorRegistry(), 100.0
    drops = Drops(registry, clock=lambda: now)
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            drops.items("traces", "bad_time", 3, "start is 0")
            drops.request("traces", "malformed", "expected a varint")
        now += QUIET_S
        drops.items("traces", "bad_time", 1, "start is 0")
    labels = {"signal": "traces", "cause": "bad_time"}
    assert registry.get_sample_value("whymesh_collector_dropped_items_total", labels) == 16
    labels = {"signal": "traces", "cause": "malformed"}
    assert registry.get_sample_value("whymesh_collector_refused_requests_total", labels) == 5
    assert [record.getMessage() for record in caplog.records] == [
        "dropped 3 of traces (bad_time): start is 0",
        "refused a request of traces (malformed): expected a varint",
        "dropped 1 of traces (bad_time): start is 0",
    ]
