"""Spans arrive the same over HTTP and gRPC, plain and compressed, whatever the collector can read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tests.proxy.engine.test_export import calls, dropped
from tests.world.engines import sidecar
from tests.world.otlp_grpc_sink import GrpcSink, Refusal, grpc_sink
from tests.world.otlp_sink import OtlpSink, eventually


@pytest.fixture
async def over_grpc() -> AsyncIterator[GrpcSink]:
    async with grpc_sink() as sink:
        yield sink


GRPC = {"protocol": "grpc"}


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
async def test_http_with_any_compression(sink: OtlpSink, compression: str) -> None:
    async with sidecar("front", calls=(), telemetry=sink.url, export={"compression": compression}) as front:
        await calls(front, 500)
        await front.idle()
        assert len({span.span for span in sink.spans}) == len(sink.spans) == 500
        assert set(sink.codings) == {compression if compression != "none" else ""}
        export = front.stats()["export"]
        assert export["compression"] == compression
        assert export["sent_bytes"] == sink.received_bytes
        assert compression == "none" or export["sent_bytes"] * 3 < export["encoded_bytes"]


@pytest.mark.parametrize("compression", ["none", "gzip"])
async def test_grpc_with_any_compression(over_grpc: GrpcSink, compression: str) -> None:
    export = {**GRPC, "compression": compression}
    async with sidecar("front", calls=(), telemetry=over_grpc.url, export=export, batch_records=100) as front:
        await calls(front, 500)
        await front.idle()
        assert len({span.span for span in over_grpc.spans}) == len(over_grpc.spans) == 500
        assert front.stats()["export"]["compression"] == compression
        assert dropped(front) == {}


async def test_a_collector_that_reads_no_zstd_gets_gzip(sink: OtlpSink) -> None:
    sink.reads = frozenset({"", "gzip"})
    async with sidecar("front", calls=(), telemetry=sink.url, export={"compression": "zstd"}) as front:
        await calls(front, 10)
        await front.idle()
        await calls(front, 10)
        await front.idle()
        assert len(sink.spans) == 20
        assert sink.codings[:2] == ["zstd", "gzip"]
        assert sink.codings.count("zstd") == 1, "once is enough to know"
        assert sink.ids[0] == sink.ids[1], "it is the same batch"
        export = front.stats()["export"]
        assert (export["compression"], export["refused_compression"]) == ("gzip", ["zstd"])


async def test_a_collector_that_reads_no_compression_gets_none(sink: OtlpSink) -> None:
    sink.reads = frozenset({""})
    async with sidecar("front", calls=(), telemetry=sink.url, export={"compression": "zstd"}) as front:
        await calls(front, 10)
        await front.idle()
        assert len(sink.spans) == 10
        assert sink.codings[:3] == ["zstd", "gzip", ""]
        assert front.stats()["export"]["refused_compression"] == ["zstd", "gzip"]


async def test_grpcio_reads_no_zstd_and_gets_gzip(over_grpc: GrpcSink) -> None:
    async with sidecar("front", calls=(), telemetry=over_grpc.url, export={**GRPC, "compression": "zstd"}) as front:
        await calls(front, 10)
        await front.idle()
        assert len(over_grpc.spans) == 10
        assert front.stats()["export"]["refused_compression"] == ["zstd"]


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DATA_LOSS])
async def test_a_busy_grpc_collector_gets_the_batch_again(over_grpc: GrpcSink, code: grpc.StatusCode) -> None:
    over_grpc.refuse += [Refusal(code), Refusal(code)]
    async with sidecar("front", calls=(), telemetry=over_grpc.url, export=GRPC) as front:
        await calls(front, 10)
        await over_grpc.wait(10)
        await front.idle()
        assert dropped(front) == {}
        assert over_grpc.ids[0] == over_grpc.ids[1] == over_grpc.ids[2]
        assert front.stats()["export"]["retries"] == 2


async def test_retry_info_is_obeyed(over_grpc: GrpcSink) -> None:
    over_grpc.refuse.append(Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, 0.8))
    loop = asyncio.get_running_loop()
    async with sidecar("front", calls=(), telemetry=over_grpc.url, export=GRPC) as front:
        await calls(front, 10)
        await eventually(lambda: not over_grpc.refuse, "the first attempt")
        refused = loop.time()
        await over_grpc.wait(10)
        assert loop.time() - refused >= 0.7
        await front.idle()
        assert dropped(front) == {}


@pytest.mark.parametrize(
    "code", [grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL]
)
async def test_what_grpc_refuses_for_good_is_counted(over_grpc: GrpcSink, code: grpc.StatusCode) -> None:
    over_grpc.refuse.append(Refusal(code))
    async with sidecar("front", calls=(), telemetry=over_grpc.url, export=GRPC) as front:
        await calls(front, 10)
        await front.idle()
        assert dropped(front)["rejected"] >= 1
        assert len(over_grpc.spans) + dropped(front)["rejected"] == 10
        assert str(code.value[0]) in front.stats()["export"]["problem"]


async def test_a_partial_success_over_grpc_is_counted(over_grpc: GrpcSink) -> None:
    partial = ExportTraceServiceResponse()
    partial.partial_success.rejected_spans = 1
    over_grpc.refuse.append(partial)
    async with sidecar("front", calls=(), telemetry=over_grpc.url, export=GRPC) as front:
        await calls(front, 10)
        await front.idle()
        assert dropped(front) == {"rejected": 1}


async def test_a_batch_is_bounded_by_bytes(sink: OtlpSink) -> None:
    async with sidecar("front", calls=(), telemetry=sink.url, export={"batch_bytes": 10_000}) as front:
        await calls(front, 1_000)
        await front.idle()
        assert len({span.span for span in sink.spans}) == len(sink.spans) == 1_000
        assert sink.received_bytes / len(sink.batches) < 11_000


async def test_the_form_may_change_while_spans_flow(sink: OtlpSink, over_grpc: GrpcSink) -> None:
    async with sidecar("front", calls=(), telemetry=sink.url) as front:
        await calls(front, 50)
        changed = front.snapshot.telemetry.model_copy(
            update={"endpoint": over_grpc.url, "protocol": "grpc", "compression": "gzip"}
        )
        await front.apply(telemetry=changed)
        await calls(front, 50)
        await front.idle()
        assert len(sink.spans) + len(over_grpc.spans) == 100
        assert len(over_grpc.spans) >= 50
        assert dropped(front) == {}
