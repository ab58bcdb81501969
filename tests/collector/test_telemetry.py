"""Each insert is measured and becomes a span, but spans about own spans do not beget more."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from prometheus_client import CollectorRegistry

from collector.drops import Drops
from collector.store.errors import StoreUnavailable
from collector.telemetry import SCOPE, Meters, Reporter
from collector.wal.record import Partition
from collector.write.group import Group, Waiting


def group(*own: bool) -> Group:
    partition = Partition("otel_traces", 20_000)
    gathered = Group(partition)
    for is_own in own:
        gathered.add(Waiting(1, "traces", b"block", 10, partition, is_own))
    return gathered


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def reporter(registry: CollectorRegistry, spans: InMemorySpanExporter) -> Reporter:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    reporter = Reporter(Meters(registry), Drops(registry))
    reporter.tracer = provider.get_tracer(SCOPE)
    return reporter


async def test_an_insert_becomes_a_span(
    reporter: Reporter, registry: CollectorRegistry, spans: InMemorySpanExporter
) -> None:
    reporter.inserted(group(False, True), 0.25, None)
    (span,) = spans.get_finished_spans()
    assert (span.name, span.instrumentation_scope.name) == ("INSERT otel_traces", "whymesh.collector")
    assert span.attributes is not None
    assert span.attributes["whymesh.insert.rows"] == 20
    assert span.end_time - span.start_time == 250_000_000
    assert registry.get_sample_value("whymesh_collector_stored_rows_total", {"table": "otel_traces"}) == 20


async def test_an_insert_of_own_spans_alone_does_not(
    reporter: Reporter, registry: CollectorRegistry, spans: InMemorySpanExporter
) -> None:
    reporter.inserted(group(True, True), 0.25, None)
    assert spans.get_finished_spans() == ()
    assert registry.get_sample_value("whymesh_collector_stored_rows_total", {"table": "otel_traces"}) == 20


async def test_a_failed_insert_stores_nothing_and_says_why(
    reporter: Reporter, registry: CollectorRegistry, spans: InMemorySpanExporter
) -> None:
    reporter.inserted(group(False), 0.25, StoreUnavailable("disk full"))
    (span,) = spans.get_finished_spans()
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "disk full")
    assert registry.get_sample_value("whymesh_collector_stored_rows_total", {"table": "otel_traces"}) is None
    outcome = {"outcome": "StoreUnavailable"}
    assert registry.get_sample_value("whymesh_collector_inserts_total", outcome) == 1
