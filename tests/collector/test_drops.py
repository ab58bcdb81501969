"""A drop is counted every time and said every few seconds."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from collector.drops import OF_ITEMS, OF_REQUESTS, QUIET_S, Drops
from collector.errors import CollectorError, Refused, Retryable

ROOT = Path(__file__).parents[2]


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


def named(pattern: str, *paths: Path) -> set[str]:
    return {cause for path in paths for cause in re.findall(pattern, path.read_text())}


def kinds(error: type[CollectorError]) -> set[str]:
    return {one.cause for one in error.__subclasses__()}


def test_the_catalogue_is_that_of_the_code_and_of_the_documents() -> None:
    code = list((ROOT / "collector").glob("**/*.py"))
    assert kinds(Refused) | kinds(Retryable) | named(r'drops\.request\("\w+", "(\w+)"', *code) == OF_REQUESTS
    encoder = ROOT / "collector/columnar/src/rejects.rs"
    assert named(r'=> "(\w+)",', encoder) | named(r'drops\.items\([^"]*, "(\w+)"', *code) == OF_ITEMS
    documents = ROOT / "docs/collector.md"
    assert named(r"\| `(\w+)` \| requests \|", documents) == OF_REQUESTS
    assert named(r"\| `(\w+)` \| items \|", documents) == OF_ITEMS
