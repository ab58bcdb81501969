"""A collector that keeps every span, log record and count it is sent, and can be told to be away, busy or picky.

In: OTLP/HTTP from a real socket, plain, gzip or zstd. Out: plain values, in order of arrival.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import zstandard
from aiohttp import web
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.world.apps import shown

PATIENCE_S = 10.0


@dataclass(frozen=True)
class Seen:
    """One span with its resource, as a test wants to look at it."""

    name: str
    kind: str
    trace: str
    span: str
    parent: str
    start_ns: int
    end_ns: int
    error: bool
    state: str
    attributes: dict[str, Any]
    resource: dict[str, Any]

    def __getitem__(self, key: str) -> Any:
        return self.attributes[key]

    @property
    def duration_ms(self) -> float:
        return (self.end_ns - self.start_ns) / 1e6


@dataclass(frozen=True)
class Logged:
    """One log record with its resource and scope."""

    body: str
    severity: tuple[int, str]
    trace: str
    span: str
    time_ns: int
    observed_ns: int
    attributes: dict[str, Any]
    resource: dict[str, Any]
    scope: str


@dataclass(frozen=True)
class Counted:
    """One point of a proxy's counts with its resource."""

    count: int
    attributes: dict[str, Any]
    resource: dict[str, Any]


@dataclass
class OtlpSink:
    """What has arrived, and how to answer what comes next."""

    url: str = ""
    spans: list[Seen] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    """Spans in each accepted batch."""
    logs: list[Logged] = field(default_factory=list)
    log_batches: list[int] = field(default_factory=list)
    """Log records in each accepted batch."""
    counts: list[Counted] = field(default_factory=list)
    log_refusals: list[web.Response] = field(default_factory=list)
    """Answers to the next requests with log records, as `refusals` to those with spans."""
    codings: list[str] = field(default_factory=list)
    """Compression of each request, taken or not; empty for none."""
    ids: list[str] = field(default_factory=list)
    """Batch id of each request, taken or not."""
    received_bytes: int = 0
    """Bytes of accepted bodies, as sent."""
    refusals: list[web.Response] = field(default_factory=list)
    """Answers to the next requests, first to last; when there is none they are accepted."""
    reads: frozenset[str] = frozenset({"", "gzip", "zstd"})
    """Compressions that are not answered with 415."""

    def of(self, service: str, kind: str | None = None) -> list[Seen]:
        """Spans of the proxy beside a service."""
        mine = [span for span in self.spans if span.resource["service.name"] == service]
        return [span for span in mine if kind in (None, span.kind)]

    async def wait(self, count: int, service: str | None = None, kind: str | None = None) -> list[Seen]:
        """The spans (of a service, of a kind) once there are `count`."""

        def found() -> list[Seen]:
            return self.of(service, kind) if service else self.spans

        await eventually(lambda: len(found()) >= count, lambda: f"{count} spans, not {len(found())}: {found()}")
        return found()

    async def wait_logs(self, count: int) -> list[Logged]:
        """The log records once there are `count`."""
        await eventually(lambda: len(self.logs) >= count, lambda: f"{count} log records, not {self.logs}")
        return self.logs

    async def _take_spans(self, request: web.Request) -> web.Response:
        return await self._take(request, self.refusals, self.keep)

    async def _take_logs(self, request: web.Request) -> web.Response:
        return await self._take(request, self.log_refusals, self.keep_logs)

    async def _take_counts(self, request: web.Request) -> web.Response:
        self.counts += _counts(await request.json())
        return web.json_response({})

    async def _take(
        self, request: web.Request, refusals: list[web.Response], keep: Callable[[bytes, int], None]
    ) -> web.Response:
        coding = request.headers.get("Content-Encoding", "")
        self.codings.append(coding)
        self.ids.append(request.headers.get("x-whymesh-batch", ""))
        body = await request.read()
        if coding not in self.reads:
            return web.Response(status=415)
        if refusals:
            answer = refusals.pop(0)
            if answer.status >= 300:
                return answer
        else:
            answer = web.Response(
                body=ExportTraceServiceResponse().SerializeToString(), content_type="application/x-protobuf"
            )
        keep(_plain(body, coding), len(body))
        return answer

    def keep(self, body: bytes, sent: int) -> None:
        """Takes one ExportTraceServiceRequest that came in `sent` bytes."""
        spans = list(_spans(ExportTraceServiceRequest.FromString(body)))
        self.batches.append(len(spans))
        self.received_bytes += sent
        self.spans += spans

    def keep_logs(self, body: bytes, sent: int) -> None:
        """Takes one ExportLogsServiceRequest that came in `sent` bytes."""
        logs = list(_logs(ExportLogsServiceRequest.FromString(body)))
        self.log_batches.append(len(logs))
        self.received_bytes += sent
        self.logs += logs


@contextlib.asynccontextmanager
async def otlp_sink(port: int = 0, sink: OtlpSink | None = None, host: str = "127.0.0.1") -> AsyncIterator[OtlpSink]:
    """A sink on a port of its own, or one that comes back where it was."""
    sink = sink or OtlpSink()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/v1/traces", sink._take_spans)
    app.router.add_post("/v1/logs", sink._take_logs)
    app.router.add_post("/v1/metrics", sink._take_counts)
    runner = web.AppRunner(app, shutdown_timeout=0.2, auto_decompress=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        sink.url = f"http://{shown(host)}:{runner.addresses[0][1]}/v1/traces"
        yield sink
    finally:
        await runner.cleanup()


def _plain(body: bytes, coding: str) -> bytes:
    match coding:
        case "gzip":
            return gzip.decompress(body)
        case "zstd":
            return zstandard.ZstdDecompressor().stream_reader(body).read()
        case _:
            return body


async def eventually(met: Callable[[], object], what: str | Callable[[], str], patience_s: float = PATIENCE_S) -> None:
    """Polls a condition without holding up the event loop; fails saying what never came."""
    deadline = asyncio.get_running_loop().time() + patience_s
    while not met():
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"waited {patience_s:.0f} s for {what if isinstance(what, str) else what()}")
        await asyncio.sleep(0.01)


def _spans(request: ExportTraceServiceRequest) -> list[Seen]:
    return [
        Seen(
            name=span.name,
            kind=Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
            trace=span.trace_id.hex(),
            span=span.span_id.hex(),
            parent=span.parent_span_id.hex(),
            start_ns=span.start_time_unix_nano,
            end_ns=span.end_time_unix_nano,
            error=span.status.code == 2,
            state=span.trace_state,
            attributes=_values(span.attributes),
            resource=_values(of_resource.resource.attributes),
        )
        for of_resource in request.resource_spans
        for of_scope in of_resource.scope_spans
        for span in of_scope.spans
    ]


def _logs(request: ExportLogsServiceRequest) -> list[Logged]:
    return [
        Logged(
            body=log.body.string_value,
            severity=(log.severity_number, log.severity_text),
            trace=log.trace_id.hex(),
            span=log.span_id.hex(),
            time_ns=log.time_unix_nano,
            observed_ns=log.observed_time_unix_nano,
            attributes=_values(log.attributes),
            resource=_values(of_resource.resource.attributes),
            scope=of_scope.scope.name,
        )
        for of_resource in request.resource_logs
        for of_scope in of_resource.scope_logs
        for log in of_scope.log_records
    ]


def _counts(request: dict[str, Any]) -> list[Counted]:
    def told(attributes: list[dict[str, Any]]) -> dict[str, Any]:
        values = {pair["key"]: pair["value"]["stringValue"] for pair in attributes}
        assert len(values) == len(attributes), f"an attribute came twice: {attributes}"
        return values

    return [
        Counted(
            count=int(point["asInt"]),
            attributes=told(point["attributes"]),
            resource=told(of_resource["resource"]["attributes"]),
        )
        for of_resource in request["resourceMetrics"]
        for of_scope in of_resource["scopeMetrics"]
        for metric in of_scope["metrics"]
        for point in metric["sum"]["dataPoints"]
    ]


def _values(attributes: Any) -> dict[str, Any]:
    pairs: list[KeyValue] = list(attributes)
    values = {pair.key: getattr(pair.value, str(pair.value.WhichOneof("value"))) for pair in pairs}
    assert len(values) == len(pairs), f"an attribute came twice: {[pair.key for pair in pairs]}"
    return values
