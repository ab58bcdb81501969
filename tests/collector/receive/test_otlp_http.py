"""OTLP/HTTP as the specification asks of a server."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import aiohttp
import pytest
import zstandard
from google.protobuf import json_format
from google.rpc.code_pb2 import INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNAVAILABLE
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics

from collector.errors import LogFull, Overloaded
from collector.receive.otlp_http import JSON, PROTOBUF
from tests.collector.receiving import LIMIT, Receiving, receiving
from tests.world import otlp_oracle as oracle
from tests.world import otlp_requests as world


@pytest.fixture
async def parts() -> AsyncIterator[Receiving]:
    async with receiving() as parts:
        yield parts


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as client:
        yield client


class Answer:
    def __init__(self, response: aiohttp.ClientResponse, body: bytes) -> None:
        self.status, self.headers, self.kind, self.body = response.status, response.headers, response.content_type, body

    def status_message(self) -> Status:
        return Status.FromString(self.body)


async def post(url: str, body: bytes, kind: str = PROTOBUF, **headers: str) -> Answer:
    async with (
        aiohttp.ClientSession() as client,
        client.post(url, data=body, headers={"Content-Type": kind, **headers}) as response,
    ):
        return Answer(response, await response.read())


REQUEST = world.request(world.span(), world.span())
BODY = REQUEST.SerializeToString()


@pytest.mark.parametrize(
    ("body", "kind", "headers"),
    [
        (BODY, PROTOBUF, {}),
        (gzip.compress(BODY), PROTOBUF, {"Content-Encoding": "gzip"}),
        (zstandard.compress(BODY), PROTOBUF, {"Content-Encoding": "zstd"}),
        (BODY, PROTOBUF, {"Content-Encoding": "identity"}),
        (oracle.to_otlp_json(REQUEST), JSON, {}),
        (oracle.to_otlp_json(REQUEST), f"{JSON}; charset=utf-8", {}),
        (gzip.compress(oracle.to_otlp_json(REQUEST)), JSON, {"Content-Encoding": "gzip"}),
    ],
)
async def test_full_success_in_the_kind_of_the_request(
    parts: Receiving, body: bytes, kind: str, headers: dict[str, str]
) -> None:
    answer = await post(f"{parts.http}/v1/traces", body, kind, **headers)
    assert (answer.status, answer.kind, answer.body) == (
        200,
        kind.partition(";")[0],
        b"" if kind == PROTOBUF else b"{}",
    )
    assert parts.rows == 2


async def test_nothing_sent_is_a_success(parts: Receiving) -> None:
    assert (await post(f"{parts.http}/v1/traces", b"")).status == 200
    assert (await post(f"{parts.http}/v1/traces", b"{}", JSON)).body == b"{}"
    assert parts.rows == 0, "nothing is kept"


async def test_partial_success_names_what_was_rejected(parts: Receiving) -> None:
    request = world.request(world.span(), world.span(trace_id=b"short"), world.span(start_time_unix_nano=0))
    answer = await post(f"{parts.http}/v1/traces", request.SerializeToString())
    partial = ExportTraceServiceResponse.FromString(answer.body).partial_success
    assert (answer.status, partial.rejected_spans, parts.rows) == (200, 2, 1)
    assert "trace_id must be 16 bytes" in partial.error_message
    assert parts.dropped("traces", "bad_trace_id") == parts.dropped("traces", "bad_time") == 1
    answer = await post(f"{parts.http}/v1/traces", oracle.to_otlp_json(request), JSON)
    assert json.loads(answer.body)["partialSuccess"]["rejectedSpans"] == "2"


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"garbage!", {}),
        (b"garbage!", {"Content-Encoding": "gzip"}),
        (b"garbage!", {"Content-Encoding": "zstd"}),
        (b"[1", {}),
    ],
)
async def test_garbage_is_a_bad_request(parts: Receiving, body: bytes, headers: dict[str, str], kind: str) -> None:
    answer = await post(f"{parts.http}/v1/traces", body, kind, **headers)
    assert (answer.status, answer.kind) == (400, kind)
    if kind == PROTOBUF:
        assert answer.status_message().code == INVALID_ARGUMENT
        assert "expected" in answer.status_message().message
    else:
        assert json.loads(answer.body)["code"] == INVALID_ARGUMENT
    assert parts.refused("traces", "malformed") == 1


async def test_too_large_before_and_after_decompression(parts: Receiving) -> None:
    large = bytes(LIMIT + 1)

    async def in_pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(large), 50_000):
            yield large[at : at + 50_000]

    for body, headers in (
        (large, {}),
        (gzip.compress(large), {"Content-Encoding": "gzip"}),
        (zstandard.compress(large), {"Content-Encoding": "zstd"}),
        (in_pieces(), {}),
    ):
        answer = await post(f"{parts.http}/v1/traces", body, **headers)  # type: ignore[arg-type]
        assert (answer.status, answer.status_message().code) == (413, RESOURCE_EXHAUSTED)
        assert f"more than {LIMIT} bytes" in answer.status_message().message
    assert parts.refused("traces", "too_large") == 4


@pytest.mark.parametrize("error", [Overloaded("queue full", 1), LogFull("log full", 5)])
async def test_what_may_pass_later_is_told_to_wait(parts: Receiving, error: Overloaded | LogFull) -> None:
    parts.error = error
    answer = await post(f"{parts.http}/v1/traces", BODY)
    assert (answer.status, answer.headers["Retry-After"]) == (503, str(error.retry_after_s))
    assert (answer.status_message().code, answer.status_message().message) == (UNAVAILABLE, str(error))
    assert parts.refused("traces", error.cause) == 1


async def test_a_defect_is_an_internal_error_and_the_next_request_is_served(parts: Receiving) -> None:
    parts.error = RuntimeError("a bug")
    answer = await post(f"{parts.http}/v1/traces", BODY)
    assert (answer.status, "a bug" in answer.status_message().message) == (500, False)
    parts.error = None
    assert (await post(f"{parts.http}/v1/traces", BODY)).status == 200


@pytest.mark.parametrize("door", ["http", "zipkin"])
async def test_a_sender_that_never_ends_gives_its_memory_back(door: str) -> None:
    async with receiving(body_s=0.2, under_way_bytes=LIMIT) as parts:
        address = urlsplit(getattr(parts, door))
        path, kind = ("/v1/traces", PROTOBUF) if door == "http" else ("/api/v2/spans", JSON)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {LIMIT}\r\n\r\n"
        writer.write(head.encode() + b"a few bytes")
        async with asyncio.timeout(30):
            answer = await reader.readuntil(b"not there after 0.2 s")
        assert answer.startswith(b"HTTP/1.1 408 ")
        writer.close()
        await writer.wait_closed()
        assert parts.refused("traces", "too_slow") == 1
        assert (await post(f"{parts.http}/v1/traces", BODY)).status == 200


async def test_other_kinds_methods_and_paths(parts: Receiving, client: aiohttp.ClientSession) -> None:
    assert (await post(f"{parts.http}/v1/traces", BODY, "text/plain")).status == 415
    unknown_coding = await post(f"{parts.http}/v1/traces", BODY, **{"Content-Encoding": "br"})
    assert (unknown_coding.status, unknown_coding.headers["Accept-Encoding"]) == (415, "gzip, zstd")
    assert unknown_coding.status_message().message
    assert parts.refused("traces", "unsupported") == 2
    async with client.get(f"{parts.http}/v1/traces") as response:
        assert (response.status, response.headers["Allow"]) == (405, "POST")
        assert (await response.json())["message"]
    assert (await post(f"{parts.http}/v1/nothing", BODY)).status == 404


METRICS = ExportMetricsServiceRequest(
    resource_metrics=[
        ResourceMetrics(
            scope_metrics=[
                ScopeMetrics(
                    metrics=[
                        Metric(
                            gauge=Gauge(
                                data_points=[
                                    NumberDataPoint(as_int=1, time_unix_nano=world.START_NS),
                                    NumberDataPoint(),
                                ]
                            )
                        )
                    ]
                )
            ]
        )
    ]
)
LOGS = ExportLogsServiceRequest(
    resource_logs=[ResourceLogs(scope_logs=[ScopeLogs(log_records=[LogRecord(), LogRecord(time_unix_nano=2**64 - 1)])])]
)


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
async def test_metrics_and_logs_with_their_own_words_for_what_was_rejected(parts: Receiving, kind: str) -> None:
    for path, request, response, rejected, table in (
        ("metrics", METRICS, ExportMetricsServiceResponse, "rejected_data_points", "otel_metrics_gauge"),
        ("logs", LOGS, ExportLogsServiceResponse, "rejected_log_records", "otel_logs"),
    ):
        body = request.SerializeToString() if kind == PROTOBUF else oracle.to_otlp_json(request)
        answer = await post(f"{parts.http}/v1/{path}", body, kind)
        told = response()
        if kind == PROTOBUF:
            told.ParseFromString(answer.body)
        else:
            json_format.Parse(answer.body, told)
        assert (answer.status, getattr(told.partial_success, rejected)) == (200, 1)
        assert "must lie in 1970 to 2106" in told.partial_success.error_message
        assert table in parts.tables
        assert parts.dropped(path, "bad_time") == 1
    assert parts.rows == 2
    assert (await post(f"{parts.http}/v1/logs", b"")).body == b""


async def until_answered(url: str, status: int) -> None:
    async with asyncio.timeout(10):
        while True:
            if (await post(url, BODY)).status == status:
                return
            await asyncio.sleep(0.01)


async def test_bytes_under_way_are_bounded() -> None:
    async with receiving(under_way_bytes=100) as parts:
        host, port = parts.http.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        head = f"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: {PROTOBUF}\r\nContent-Length: 90\r\n\r\n"
        writer.write(head.encode() + b"only a part")
        await writer.drain()
        await until_answered(f"{parts.http}/v1/traces", 503)
        writer.close()
        await writer.wait_closed()
        assert await reader.read() == b""
        await until_answered(f"{parts.http}/v1/traces", 200)
