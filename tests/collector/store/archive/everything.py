"""Rows for every table that an archive holds, on two days, with everything a column can be in them."""

from __future__ import annotations

from collections.abc import Iterator

from clickhouse_driver import Client
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1 import metrics_pb2 as m
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from collector import _columnar as columnar
from collector.store.link import Link
from tests.world.otlp_requests import START_NS, attribute, request, span

DAY_NS = 86_400_000_000_000
FIRST_DAY, SECOND_DAY = "2026-09-21", "2026-09-22"
MESH = {"mesh.source.service": "front", "mesh.destination.service": "payments", "mesh.route": "/pay"}

FINDINGS = (
    "INSERT INTO otel.mesh_incidents (Id, OpenedAt, ResolvedAt, UpdatedAt, Confidence, Finding) VALUES"
    f" ('i1', '{FIRST_DAY} 10:00:00.5', NULL, '{FIRST_DAY} 10:00:00', 0.5, '{{}}'),"
    f" ('i1', '{FIRST_DAY} 10:00:00.5', '{SECOND_DAY} 01:00:00.123', '{SECOND_DAY} 01:00:01', 1, '{{\"größe\": 1}}')",
    f"INSERT INTO otel.mesh_alerts (Time, IncidentId, Delivered) VALUES ('{FIRST_DAY} 10:00:01', 'i1', 1)",
    "INSERT INTO otel.mesh_silences (Service, Until, Time)"
    f" VALUES ('*', '{SECOND_DAY} 00:00:00', '{FIRST_DAY} 10:01:00')",
    "INSERT INTO otel.mesh_alarms (Id, OpenedAt, ResolvedAt, Value, Limit) VALUES"
    f" ('a1', '{FIRST_DAY} 11:00:00', NULL, 14.4, inf)",
    f"INSERT INTO otel.mesh_kept VALUES ('{FIRST_DAY}', 'abc', 'failed')",
    f"INSERT INTO otel.mesh_pins VALUES ('abc', 'me', 'it''s a bug', '{SECOND_DAY} 09:00:00')",
    f"INSERT INTO otel.mesh_unkept_calls VALUES ('{FIRST_DAY} 10:00:00', 'front', 'payments', 7)",
    f"INSERT INTO otel.mesh_thinned VALUES ('{FIRST_DAY}', 7, 100, 10, '{SECOND_DAY} 09:00:00')",
)


def fill(link: Link, client: Client) -> None:
    """Puts them into a store that has our tables."""
    for body in (_spans(START_NS), _spans(START_NS + DAY_NS)):
        _append(link, columnar.encode_traces(body).blocks)
    _append(link, columnar.encode_metrics(_metrics()).blocks)
    _append(link, columnar.encode_logs(_logs(), received_ns=START_NS).blocks)
    for statement in FINDINGS:
        client.execute(statement)


def _append(link: Link, blocks: list[columnar.Block]) -> None:
    for block in blocks:
        link.append(block.table, [block.data], {})


def _spans(start: int) -> bytes:
    event = Span.Event(time_unix_nano=start + 5, name="retry", attributes=[attribute("n", "1")])
    link = Span.Link(trace_id=b"\1" * 16, span_id=b"\2" * 8, trace_state="a=b", attributes=[attribute("k", "é")])
    spans = [
        span(
            f"GET /pay/{number % 3}",
            start_time_unix_nano=start + number * 1_000_000_007,
            end_time_unix_nano=start + number * 1_000_000_007 + number * 999,
            attributes=[attribute(name, value) for name, value in MESH.items()],
            events=[event] * (number % 3),
            links=[link] * (number % 2),
            status=Status(code=Status.STATUS_CODE_ERROR, message="no\tway\n") if number % 7 == 0 else Status(),
        )
        for number in range(40)
    ]
    changed = {"mesh.change.kind": "epoch", "mesh.change.summary": "v2", "mesh.epoch": "7"}
    change = span("mesh.change", attributes=[attribute(*pair) for pair in changed.items()], start_time_unix_nano=start)
    return request(*spans, change, service="payments").SerializeToString()


def _logs() -> bytes:
    lines = [
        LogRecord(time_unix_nano=START_NS + number, severity_text="INFO", severity_number=9, flags=1)
        for number in range(30)
    ]
    same = LogRecord(time_unix_nano=START_NS + DAY_NS, severity_text="WARN")
    for line in [*lines, same]:
        line.body.string_value = 'said "hello" \\ 日本'
    scoped = ScopeLogs(log_records=[*lines, same, same], schema_url="https://example.test/1")
    return ExportLogsServiceRequest(resource_logs=[ResourceLogs(scope_logs=[scoped])]).SerializeToString()


def _metrics() -> bytes:
    return ExportMetricsServiceRequest(
        resource_metrics=[m.ResourceMetrics(scope_metrics=[m.ScopeMetrics(metrics=list(_each_kind()))])]
    ).SerializeToString()


def _each_kind() -> Iterator[m.Metric]:
    times = {"time_unix_nano": START_NS, "start_time_unix_nano": START_NS - 1, "attributes": [attribute("a", "b")]}
    exemplar = m.Exemplar(time_unix_nano=START_NS + 1, as_double=0.1, trace_id=b"\3" * 16, span_id=b"\4" * 8)
    number = m.NumberDataPoint(as_double=float("nan"), exemplars=[exemplar], **times)
    yield m.Metric(name="gauge", unit="By", gauge=m.Gauge(data_points=[number]))
    yield m.Metric(name="sum", sum=m.Sum(data_points=[number], is_monotonic=True, aggregation_temporality=2))
    histogram = m.HistogramDataPoint(count=3, sum=1.5, bucket_counts=[1, 2], explicit_bounds=[0.5], min=-0.0, **times)
    yield m.Metric(name="histogram", histogram=m.Histogram(data_points=[histogram]))
    buckets = m.ExponentialHistogramDataPoint.Buckets(offset=-3, bucket_counts=[1, 0, 2**63])
    exponential = m.ExponentialHistogramDataPoint(count=2**64 - 1, scale=-4, positive=buckets, zero_count=1, **times)
    yield m.Metric(
        name="exponential_histogram", exponential_histogram=m.ExponentialHistogram(data_points=[exponential])
    )
    quantile = m.SummaryDataPoint.ValueAtQuantile(quantile=0.99, value=float("inf"))
    summary = m.SummaryDataPoint(count=1, sum=2, quantile_values=[quantile], **times)
    yield m.Metric(name="summary", summary=m.Summary(data_points=[summary]))
