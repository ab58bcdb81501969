"""OTLP/gRPC as the specification asks of a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import MetricsServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs

from collector.errors import CannotListen, LogFull, Overloaded
from tests.collector.receiving import LIMIT, Receiving, receiving
from tests.world import otlp_requests as world
from tests.world.otlp_sink import eventually

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


@pytest.fixture
async def parts() -> AsyncIterator[Receiving]:
    async with receiving() as parts:
        yield parts


@pytest.fixture
async def channel(parts: Receiving) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(parts.grpc) as channel:
        yield channel


async def refusal(channel: grpc.aio.Channel, body: bytes, **options: object) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await channel.unary_unary(EXPORT)(body, **options)
    return caught.value


def details(error: grpc.aio.AioRpcError) -> Status:
    return Status.FromString(dict(error.trailing_metadata() or ())["grpc-status-details-bin"])


@pytest.mark.parametrize("compression", [None, grpc.Compression.Gzip])
async def test_full_success(parts: Receiving, channel: grpc.aio.Channel, compression: grpc.Compression | None) -> None:
    request = world.request(*(world.span() for _ in range(200)))
    answer = await TraceServiceStub(channel).Export(request, compression=compression)
    assert not answer.HasField("partial_success")
    assert parts.rows == 200
    assert (await TraceServiceStub(channel).Export(ExportTraceServiceRequest())).ByteSize() == 0


async def test_partial_success(parts: Receiving, channel: grpc.aio.Channel) -> None:
    answer = await TraceServiceStub(channel).Export(world.request(world.span(), world.span(span_id=bytes(8))))
    assert answer.partial_success.rejected_spans == 1
    assert "span_id must be 8 bytes" in answer.partial_success.error_message
    assert (parts.rows, parts.dropped("traces", "bad_span_id")) == (1, 1)


async def test_garbage_is_an_invalid_argument(parts: Receiving, channel: grpc.aio.Channel) -> None:
    error = await refusal(channel, b"garbage!")
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert details(error).message == error.details()
    assert "expected" in str(error.details())
    assert parts.refused("traces", "malformed") == 1


@pytest.mark.parametrize(("size", "compression"), [(LIMIT + 1, None), (20_000_000, grpc.Compression.Gzip)])
async def test_too_large_is_not_retryable(
    parts: Receiving, channel: grpc.aio.Channel, size: int, compression: grpc.Compression | None
) -> None:
    error = await refusal(channel, bytes(size), compression=compression)
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert parts.rows == 0


async def test_too_large_as_columns_is_not_retryable(parts: Receiving, channel: grpc.aio.Channel) -> None:
    request = world.request(*(world.span() for _ in range(1500)), service="x" * 50_000)
    error = await refusal(channel, request.SerializeToString())
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert not details(error).details, "no RetryInfo"
    assert parts.refused("traces", "too_large") == 1


@pytest.mark.parametrize("cause", [Overloaded("queue full", 1), LogFull("log full", 5)])
async def test_what_may_pass_later_says_when(
    parts: Receiving, channel: grpc.aio.Channel, cause: Overloaded | LogFull
) -> None:
    parts.error = cause
    error = await refusal(channel, world.request(world.span()).SerializeToString())
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    retry = RetryInfo()
    assert details(error).details[0].Unpack(retry)
    assert retry.retry_delay.ToSeconds() == cause.retry_after_s


async def test_metrics_and_logs(parts: Receiving, channel: grpc.aio.Channel) -> None:
    records = [LogRecord(), LogRecord(time_unix_nano=2**64 - 1)]
    logs = ExportLogsServiceRequest(resource_logs=[ResourceLogs(scope_logs=[ScopeLogs(log_records=records)])])
    answer: Message = await LogsServiceStub(channel).Export(logs, compression=grpc.Compression.Gzip)
    assert answer.partial_success.rejected_log_records == 1  # type: ignore[attr-defined]
    assert (parts.rows, parts.tables, parts.dropped("logs", "bad_time")) == (1, {"otel_logs"}, 1)
    assert (await MetricsServiceStub(channel).Export(ExportMetricsServiceRequest())).ByteSize() == 0


async def test_many_calls_at_once(parts: Receiving, channel: grpc.aio.Channel) -> None:
    stub = TraceServiceStub(channel)
    await asyncio.gather(*(stub.Export(world.request(world.span())) for _ in range(200)))
    assert parts.rows == 200


async def test_calls_beyond_the_bound_are_told_to_wait() -> None:
    async with receiving(grpc_calls=3) as parts, grpc.aio.insecure_channel(parts.grpc) as channel:
        parts.gate = asyncio.Event()
        stub = TraceServiceStub(channel)
        sent = asyncio.gather(*(stub.Export(world.request(world.span())) for _ in range(3)))
        await eventually(lambda: parts.running == 3, "three calls under way")
        error = await refusal(channel, world.request(world.span()).SerializeToString())
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert details(error).details[0].Is(RetryInfo.DESCRIPTOR)
        assert parts.refused("traces", "overloaded") == 1
        parts.gate.set()
        await sent
        await stub.Export(world.request(world.span()))
        assert parts.rows == 4


async def test_unknown_methods_are_unimplemented(channel: grpc.aio.Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Import")(b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_port_in_use_is_said(parts: Receiving) -> None:
    with pytest.raises(CannotListen, match=parts.grpc):
        async with receiving(grpc_address=parts.grpc):
            pytest.fail("two servers share a port")
