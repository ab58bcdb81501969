"""`python -m collector` as its users meet it: SDKs send, ClickHouse clients read, and it says why it cannot start."""

from __future__ import annotations

import os
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Link, SpanKind

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

    rows = served.query(
        f"""SELECT SpanName, SpanKind, count(), uniqExact(SpanId), any(ResourceAttributes['service.version']),
                   any(ScopeName), any(ScopeVersion), any(SpanAttributes), any(Events.Name), any(Links.Attributes)
            FROM otel.otel_traces WHERE ServiceName = '{service}' GROUP BY ALL ORDER BY SpanName"""
    )
    assert rows[0] == ("checkout", "Server", 1, 1, "v2", "app", "1.2", {"n": "7", "ok": "true"}, [], [])
    assert rows[1][:8] == ("step", "Internal", 1500, 1500, "v2", "app", "1.2", {"list": '["a","b"]'})
    assert (rows[1][8], list(rows[1][9][0])) == (["seen"], ["place"])


def test_an_answer_means_stored(served: Collector) -> None:
    for place in range(5):
        assert post(served, world.request(world.span(), service="answered").SerializeToString()) == 200
        counted = "SELECT count() FROM otel.otel_traces WHERE ServiceName = 'answered'"
        assert served.query(counted) == [(place + 1,)]


def test_it_reports_itself_into_itself(served: Collector) -> None:
    post(served, world.request(world.span()).SerializeToString())
    own = "SELECT count() FROM otel.otel_traces WHERE ScopeName = 'whymesh.collector'"
    until(lambda: served.query(own) > [(0,)], "a span of the collector's own")
    status, text = get(served.url("metrics", "/metrics"))
    assert status == 200
    assert "whymesh_collector_stored_spans_total" in text
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
