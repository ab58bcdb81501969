"""Counts of proxies against spans stored, and a known trace read back: by a real collector, and by one that fails."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import Span
from prometheus_client import CollectorRegistry

from collector.canary import Canary
from collector.captured import Captured
from collector.errors import LogFull
from collector.store.errors import StoreUnavailable
from proxy.counts import Counts
from tests.world import otlp_requests as world
from tests.world.collectors import collector
from tests.world.processes import get, until


def test_what_is_lost_on_the_way_is_told(tmp_path: Path) -> None:
    """A proxy counted eight requests; six of their spans arrived."""
    now = int(time.time())
    bucket = (now - 120) // 10 * 10
    edge = [world.attribute("mesh.source.service", "front"), world.attribute("mesh.destination.service", "cart")]
    spans: Sequence[Span] = [
        world.span(attributes=edge, start_time_unix_nano=(bucket + place) * 10**9) for place in range(6)
    ]
    counts = Counts().interval(
        {
            "requests": [
                {"service": "cart", "instance": "cart-1", "direction": "inbound", "peer": "front", "count": 8},
            ]
        },
        bucket + 10,
    )
    with collector(tmp_path) as served:
        for path, body, kind in (
            ("/v1/traces", world.request(*spans, service="cart").SerializeToString(), "application/x-protobuf"),
            ("/v1/metrics", counts.encode(), "application/json"),
        ):
            request = urllib.request.Request(served.url("http", path), body, {"Content-Type": kind})
            urllib.request.urlopen(request, timeout=20).close()
        served.settle()
        rows = served.query(
            "SELECT toUnixTimestamp(Bucket), Source, Destination, Counted, Captured FROM otel.mesh_captured"
        )
        assert rows == [(bucket, "front", "cart", 8, 6)]
        metrics = served.url("metrics", "/metrics")
        told = 'whymesh_collector_captured_ratio{destination="cart",source="front"} 0.75'
        until(lambda: told in get(metrics)[1], "the share to be told", 60)
        unread = 'whymesh_collector_canaries_total{outcome="read"} 0.0'
        until(lambda: unread not in get(metrics)[1], "the canary to be read", 60)
        assert (
            served.metric("whymesh_collector_counted_requests"),
            served.metric("whymesh_collector_captured_requests"),
        ) == (8, 6)


def test_edges_that_are_gone_are_not_told_any_more() -> None:
    registry = CollectorRegistry()
    captured = Captured(registry)
    captured.show([{"source": "a", "destination": "b", "counted": 10, "captured": 11}])
    labels = {"source": "a", "destination": "b"}
    assert registry.get_sample_value("whymesh_collector_captured_ratio", labels) == 1.0
    captured.show([])
    assert registry.get_sample_value("whymesh_collector_captured_ratio", labels) is None
    assert registry.get_sample_value("whymesh_collector_counted_requests") == 0


async def test_what_becomes_of_canaries() -> None:
    registry = CollectorRegistry()
    found: list[dict[str, Any]] = [{"rows": 1, "right": 1}]
    refusal: list[Exception] = []

    async def take(_: bytes) -> None:
        for error in refusal:
            raise error

    async def ask(_: str) -> list[dict[str, Any]]:
        if not found:
            raise StoreUnavailable("away")
        return found

    canary = Canary(registry, take, ask, patience_s=0.3)
    assert await canary.once() == "read"
    found[0] = {"rows": 2, "right": 2}
    assert await canary.once() == "wrong"
    found[0] = {"rows": 0, "right": 0}
    assert await canary.once() == "missing"
    found.clear()
    assert await canary.once() == "missing"
    refusal.append(LogFull("full"))
    assert await canary.once() == "refused"
    for outcome, count in (("read", 1), ("wrong", 1), ("missing", 2), ("refused", 1)):
        assert registry.get_sample_value("whymesh_collector_canaries_total", {"outcome": outcome}) == count
    assert registry.get_sample_value("whymesh_collector_canary_seconds_count") == 1
