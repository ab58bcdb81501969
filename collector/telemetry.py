"""What the collector says of itself: counters for Prometheus, and a span for each insert into its own store.

Never: a span about inserting nothing but its own spans, which would beget the next one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from collector.drops import Drops
from collector.errors import CollectorError
from collector.receive.tenants import Tenant
from collector.write.group import Group, Waiting

SCOPE = "whymesh.collector"

log = logging.getLogger(SCOPE)


class Meters:
    """Counters of what went right; what did not is counted by collector.drops."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.stored = Counter("whymesh_collector_stored_rows", "Rows stored.", ("table",), registry=registry)
        self.inserts = Counter(
            "whymesh_collector_inserts", "Attempts to insert, by outcome.", ("outcome",), registry=registry
        )
        self.seconds = Histogram("whymesh_collector_insert_seconds", "Duration of inserts.", registry=registry)
        self.rows = Histogram(
            "whymesh_collector_insert_rows",
            "Rows of an insert.",
            buckets=(1, 10, 100, 1_000, 10_000, 100_000, 1_000_000),
            registry=registry,
        )
        self.waiting = Gauge("whymesh_collector_waiting_bytes", "Blocks that wait for the store.", registry=registry)
        self.held = Gauge("whymesh_collector_request_bytes", "Bodies of requests under way.", registry=registry)
        self.log_bytes = Gauge("whymesh_collector_log_bytes", "Write-ahead log on disk.", registry=registry)
        self.log_requests = Gauge(
            "whymesh_collector_log_requests", "Requests in the log whose rows are not all stored.", registry=registry
        )
        self._tenants = Gauge(
            "whymesh_collector_tenant_bytes", "Bodies taken from each tenant.", ("tenant",), registry=registry
        )
        self.behind = Gauge(
            "whymesh_collector_log_behind_requests", "Those of them that wait on disk alone.", registry=registry
        )

    def sent_by(self, tenants: Sequence[Tenant]) -> None:
        """Shows what each tenant sent, in bytes as sent."""
        for tenant in tenants:
            self._tenants.labels(tenant.terms.name).set_function(partial(getattr, tenant, "bytes"))


class Reporter:
    """Observes the writer: each attempt is measured, each that stored more than own spans becomes a span."""

    def __init__(self, meters: Meters, drops: Drops) -> None:
        self._meters = meters
        self._drops = drops
        self.tracer: Tracer | None = None

    def inserted(self, group: Group, seconds: float, error: Exception | None) -> None:
        self._meters.inserts.labels(type(error).__name__ if error else "stored").inc()
        if error is not None:
            log.warning("insert of %d rows failed after %.1f s: %s", group.rows, seconds, error)
        else:
            self._meters.stored.labels(group.partition.table).inc(group.rows)
            self._meters.seconds.observe(seconds)
            self._meters.rows.observe(group.rows)
        if self.tracer is not None and not all(member.own for member in group.members):
            self._span(self.tracer, group, seconds, error)

    def unstorable(self, member: Waiting, reason: str) -> None:
        """Rows of a request that was acknowledged, which the store will never take."""
        self._drops.items(member.signal, "unstorable", member.rows, reason)

    def _span(self, tracer: Tracer, group: Group, seconds: float, error: Exception | None) -> None:
        end = time.time_ns()
        span = tracer.start_span(
            f"INSERT {group.partition.table}",
            kind=SpanKind.CLIENT,
            start_time=end - int(seconds * 1e9),
            attributes={
                "db.system.name": "clickhouse",
                "db.operation.name": "INSERT",
                "db.collection.name": group.partition.table,
                "db.operation.batch.size": len(group.members),
                "whymesh.insert.rows": group.rows,
                "whymesh.insert.bytes": group.size,
            },
        )
        if error is not None:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(Status(StatusCode.ERROR, str(error)))
        span.end(end)


class _Exporter(SpanExporter):
    """Gives own spans to `take` as the body of an OTLP request."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            self._take(encode_spans(spans).SerializeToString())
        except (CollectorError, TimeoutError) as error:
            log.warning("own spans are not kept: %s", error)
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS


def own_spans(take: Callable[[bytes], None]) -> TracerProvider:
    """Own spans take the way of all others, from where a receiver would hand them on."""
    provider = TracerProvider(
        resource=Resource.create({"service.name": "whymesh-collector", "service.namespace": "whymesh"})
    )
    provider.add_span_processor(BatchSpanProcessor(_Exporter(take), schedule_delay_millis=2_000))
    return provider
