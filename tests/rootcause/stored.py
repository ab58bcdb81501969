"""Simulated traffic in a real collector's store."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterable

from collector.store.client import Reader
from tests.world.collectors import Collector
from tests.world.mesh_sim import Proxied, otlp


def send(collector: Collector, spans: list[Proxied]) -> None:
    """Exports the spans as a proxy would; they are stored when this returns."""
    for request in otlp(spans):
        post(collector.url("http", "/v1/traces"), request.SerializeToString())
    collector.settle()


def post(url: str, body: bytes) -> None:
    """One OTLP export request."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/x-protobuf"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200


def store_url(collector: Collector) -> str:
    """The address of its store, as the engine's account."""
    return f"clickhouse://rootcause@127.0.0.1:{collector.ports['clickhouse_native']}/otel"


def runs(reader: Reader, statements: Iterable[str]) -> list[int]:
    """Rows that each statement returns, run exactly as printed."""
    return [len(reader.table(statement).rows) for statement in statements]
