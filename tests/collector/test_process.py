"""`python -m collector` as its users meet it: SDKs send, ClickHouse clients read, and it says why it cannot start."""

from __future__ import annotations

import os
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, TraceFlags, set_span_in_context

from tests.world import otlp_requests as world
from tests.world.collectors import FREE_PORTS, Collector, collector
from tests.world.processes import get, running, until


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    with collector(tmp_path_factory.mktemp("collector")) as served:
        yield served
        assert served.process.terminate() == 0


def post(served: Collector, body: bytes) -> int:
    request = urllib.request.Request(
        served.url("http", "/v1/traces"), body, {"Content-Type": "application/x-protobuf"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=20) as response:
        status: int = response.status
        return status


def exporter(served: Collector, kind: str) -> SpanExporter:
    if kind == "grpc":
        return GrpcExporter(endpoint=f"127.0.0.1:{served.ports['grpc']}", insecure=True)
    compression = Compression.Gzip if kind == "http+gzip" else Compression.NoCompression
    return HttpExporter(endpoint=served.url("http", "/v1/traces"), compression=compression)


@pytest.mark.parametrize("kind", ["grpc", "http", "http+gzip"])
def test_spans_of_an_sdk_arrive_whole(served: Collector, kind: str) -> None:
    service = f"shop-{kind}"
    provider = TracerProvider(resource=Resource({"service.name": service, "service.version": "v2"}))
    provider.add_span_processor(BatchSpanProcessor(exporter(served, kind)))
    tracer = provider.get_tracer("app", "1.2")
    with tracer.start_as_current_span("checkout", kind=SpanKind.SERVER, attributes={"n": 7, "ok": True}) as parent:
        for place in range(1500):
            link = Link(parent.get_span_context(), {"place": place})
            with tracer.start_as_current_span("step", links=[link], attributes={"list": ["a", "b"]}) as step:
                step.add_event("seen", {"x": 1.5})
    provider.shutdown()
    served.settle()

    rows = served.query(
        f"""SELECT SpanName, SpanKind, count(), uniqExact(SpanId), any(ResourceAttributes['service.version']),
                   any(ScopeName), any(ScopeVersion), any(SpanAttributes), any(Events.Name), any(Links.Attributes)
            FROM otel.otel_traces WHERE ServiceName = '{service}' GROUP BY ALL ORDER BY SpanName"""
    )
    assert rows[0] == ("checkout", "Server", 1, 1, "v2", "app", "1.2", {"n": "7", "ok": "true"}, [], [])
    assert rows[1][:8] == ("step", "Internal", 1500, 1500, "v2", "app", "1.2", {"list": '["a","b"]'})
    assert (rows[1][8], list(rows[1][9][0])) == (["seen"], ["place"])


@pytest.mark.parametrize("kind", ["grpc", "http"])
def test_metrics_of_an_sdk_arrive_whole(served: Collector, kind: str) -> None:
    service = f"metered-{kind}"
    if kind == "grpc":
        sender: MetricExporter = GrpcMetricExporter(endpoint=f"127.0.0.1:{served.ports['grpc']}", insecure=True)
    else:
        sender = HttpMetricExporter(endpoint=served.url("http", "/v1/metrics"), compression=Compression.Gzip)
    exponential = View(instrument_name="sizes", aggregation=ExponentialBucketHistogramAggregation())
    provider = MeterProvider(
        [PeriodicExportingMetricReader(sender, export_interval_millis=60_000)],
        Resource({"service.name": service}),
        views=[exponential],
    )
    meter = provider.get_meter("app", "1.2", attributes={"team": "pay"})
    meter.create_counter("orders", "1", "Orders taken").add(7, {"zone": "a"})
    meter.create_gauge("depth").set(2.5)
    for value in (0.5, 3.0, 700.0):
        meter.create_histogram("latency", "ms").record(value)
        meter.create_histogram("sizes").record(value)
    provider.shutdown()
    served.settle()

    where = f"WHERE ServiceName = '{service}'"
    assert served.query(
        f"""SELECT MetricName, MetricDescription, MetricUnit, Attributes, ScopeName, ScopeAttributes, Value,
                   IsMonotonic, AggregationTemporality FROM otel.otel_metrics_sum {where}"""
    ) == [("orders", "Orders taken", "1", {"zone": "a"}, "app", {"team": "pay"}, 7.0, True, 2)]
    assert served.query(f"SELECT MetricName, Value FROM otel.otel_metrics_gauge {where}") == [("depth", 2.5)]
    (latency,) = served.query(
        f"""SELECT MetricName, Count, Sum, Min, Max, arraySum(BucketCounts),
                   length(BucketCounts) - length(ExplicitBounds) FROM otel.otel_metrics_histogram {where}"""
    )
    assert latency == ("latency", 3, 703.5, 0.5, 700.0, 3, 1)
    (sizes,) = served.query(
        f"""SELECT MetricName, Count, Sum, ZeroCount, arraySum(PositiveBucketCounts), TimeUnix >= StartTimeUnix
            FROM otel.otel_metrics_exponential_histogram {where}"""
    )
    assert sizes == ("sizes", 3, 703.5, 0, 3, 1)


@pytest.mark.parametrize("kind", ["grpc", "http"])
def test_logs_of_an_sdk_arrive_whole_and_find_their_span(served: Collector, kind: str) -> None:
    service = f"logging-{kind}"
    if kind == "grpc":
        sender: LogRecordExporter = GrpcLogExporter(endpoint=f"127.0.0.1:{served.ports['grpc']}", insecure=True)
    else:
        sender = HttpLogExporter(endpoint=served.url("http", "/v1/logs"))
    provider = LoggerProvider(Resource({"service.name": service}))
    provider.add_log_record_processor(BatchLogRecordProcessor(sender))
    span = NonRecordingSpan(SpanContext(0xABC, 0xDEF, is_remote=False, trace_flags=TraceFlags(1)))
    logger = provider.get_logger("app", "1.2")
    for place in range(1200):
        logger.emit(
            LogRecord(
                timestamp=world.START_NS + place,
                context=set_span_in_context(span),
                severity_number=SeverityNumber.WARN,
                severity_text="WARN",
                body={"order": place, "ok": True},
                attributes={"place": place},
                event_name="order.refused",
            )
        )
    provider.shutdown()
    served.settle()

    assert served.query(
        f"""SELECT count(), uniqExact(Timestamp), any(TraceId), any(SpanId), any(TraceFlags), any(SeverityText),
                   any(SeverityNumber), any(EventName), any(ScopeName), countIf(Body = '{{"ok":true,"order":' ||
                   LogAttributes['place'] || '}}') FROM otel.otel_logs WHERE ServiceName = '{service}'"""
    ) == [(1200, 1200, f"{0xABC:032x}", f"{0xDEF:016x}", 1, "WARN", 13, "order.refused", "app", 1200)]


def test_what_was_answered_is_stored_once_however_often_it_is_sent(served: Collector) -> None:
    body = world.request(world.span(), service="answered").SerializeToString()
    before = served.metric("whymesh_collector_repeated_requests_total")
    for _ in range(5):
        assert post(served, body) == 200
    served.settle()
    assert served.query("SELECT count() FROM otel.otel_traces WHERE ServiceName = 'answered'") == [(1,)]
    assert served.metric("whymesh_collector_repeated_requests_total") == before + 4


def test_it_reports_itself_into_itself(served: Collector) -> None:
    post(served, world.request(world.span()).SerializeToString())
    own = "SELECT count() FROM otel.otel_traces WHERE ScopeName = 'whymesh.collector'"
    until(lambda: served.query(own) > [(0,)], "a span of the collector's own")
    status, text = get(served.url("metrics", "/metrics"))
    assert status == 200
    assert "whymesh_collector_stored_rows_total" in text
    idle = "whymesh_collector_waiting_bytes 0.0"
    until(lambda: idle in get(served.url("metrics", "/metrics"))[1], "the writer to be idle")
    assert get(served.url("metrics", "/healthz"))[0] == get(served.url("metrics", "/readyz"))[0] == 200


def test_garbage_on_every_port_breaks_nothing(served: Collector) -> None:
    for port in served.ports.values():
        for garbage in (os.urandom(3000), b"\x00" * 100, b"GET / HTTP/1.1\r\nA" + b"x" * 100_000):
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                connection.sendall(garbage)
    assert post(served, world.request(world.span()).SerializeToString()) == 200
    assert get(served.url("metrics", "/readyz"))[0] == 200
    assert "Traceback" not in served.process.output()


def ends_with(log: Path, *arguments: str) -> str:
    """What a collector that cannot start says; it ends with 2."""
    with running("collector", *arguments, log=log) as process:
        assert process.wait() == 2
        (line,) = [line for line in process.output().splitlines() if not line.startswith("{")]
        return line


def test_it_says_in_one_sentence_why_it_cannot_start(tmp_path: Path, served: Collector) -> None:
    log = tmp_path / "log"
    assert ends_with(log, "--http", "127.0.0.1:0") == "whymesh collector: flags: data: missing"
    assert "listen.http: expected host:port" in ends_with(log, "--data", str(tmp_path / "d"), "--http", "4318")
    for flag, name in (
        ("--grpc", "grpc"),
        ("--http", "http"),
        ("--clickhouse-native", "clickhouse_native"),
        ("--clickhouse-http", "clickhouse_http"),
        ("--metrics", "metrics"),
    ):
        taken = f"127.0.0.1:{served.ports[name]}"
        said = ends_with(log, "--data", str(tmp_path / "d"), *FREE_PORTS, flag, taken)
        assert f"{flag} {taken}" in said
        assert "in use" in said
    folder = served.process.log.parent / "data"
    assert "in use by another collector" in ends_with(log, "--data", str(folder), *FREE_PORTS)
