"""Every record is accounted for: exported once, waiting, or dropped with a cause."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tests.world.engines import Sidecar, sidecar
from tests.world.otlp_sink import OtlpSink, eventually, otlp_sink
from tests.world.processes import free_port


async def calls(front: Sidecar, count: int) -> None:
    """Requests that end in the proxy: each is one record."""
    async with aiohttp.ClientSession() as session:

        async def some(share: int) -> None:
            for _ in range(share):
                async with session.get("http://nowhere/", proxy=front.proxy) as response:
                    assert response.status == 502

        await asyncio.gather(*(some(count // 10) for _ in range(10)))


def dropped(front: Sidecar) -> dict[str, int]:
    causes: dict[str, int] = front.stats()["records"]["dropped"]
    return {cause: count for cause, count in causes.items() if count}


async def test_the_account_is_exact(sink: OtlpSink) -> None:
    async with sidecar("front", calls=(), telemetry=sink.url, batch_records=100, workers=2) as front:
        await calls(front, 2_000)
        await front.idle()
        records = front.stats()["records"]
        assert (records["recorded"], records["exported"], dropped(front)) == (2_000, 2_000, {})
        assert front.counted() == 2_000
    assert len(sink.spans) == len({span.span for span in sink.spans}) == 2_000
    assert max(sink.batches) <= 100


async def test_nothing_is_lost_while_the_collector_is_away() -> None:
    port = free_port()
    async with sidecar("front", calls=(), telemetry=f"http://127.0.0.1:{port}/v1/traces") as front:
        await calls(front, 500)
        assert front.stats()["records"] | {"recorded": 500, "exported": 0, "pending": 500} == front.stats()["records"]
        async with otlp_sink(port) as sink:
            await front.idle()
            assert len({span.span for span in sink.spans}) == len(sink.spans) == 500
        await calls(front, 500)
        async with otlp_sink(port, sink):
            await front.idle()
        assert len({span.span for span in sink.spans}) == len(sink.spans) == 1_000
        assert dropped(front) == {}


async def test_a_full_queue_drops_the_newest_and_counts() -> None:
    port = free_port()
    async with sidecar("front", calls=(), telemetry=f"http://127.0.0.1:{port}/v1/traces", queue_records=1_024) as front:
        await calls(front, 3_000)
        assert dropped(front) == {"queue_full": 1_976}
        async with otlp_sink(port) as sink:
            await front.idle()
            assert len(sink.spans) == 1_024
            await calls(front, 100)
            await front.idle()
        assert len(sink.spans) == 1_124
        assert front.counted() == 3_100, "counters are exact whatever becomes of the spans"


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_a_busy_collector_gets_the_batch_again(sink: OtlpSink, status: int) -> None:
    sink.refusals += [web.Response(status=status), web.Response(status=status)]
    async with sidecar("front", calls=(), telemetry=sink.url) as front:
        await calls(front, 10)
        await sink.wait(10)
        await front.idle()
        assert front.stats()["records"]["exported"] == 10
        assert dropped(front) == {}


async def test_a_collector_that_says_when_is_obeyed(sink: OtlpSink) -> None:
    sink.refusals.append(web.Response(status=503, headers={"Retry-After": "1"}))
    loop = asyncio.get_running_loop()
    async with sidecar("front", calls=(), telemetry=sink.url) as front:
        await calls(front, 10)
        await eventually(lambda: not sink.refusals, "the first attempt")
        refused = loop.time()
        await sink.wait(10)
        assert loop.time() - refused >= 0.9


@pytest.mark.parametrize("status", [400, 404, 413, 500])
async def test_a_batch_refused_for_good_is_dropped_and_counted(sink: OtlpSink, status: int) -> None:
    sink.refusals.append(web.Response(status=status))
    async with sidecar("front", calls=(), telemetry=sink.url) as front:
        await calls(front, 10)
        await front.idle()
        await calls(front, 10)
        await front.idle()
        records = front.stats()["records"]
        assert records["exported"] + records["dropped"]["rejected"] == 20
        assert records["dropped"]["rejected"] >= 1
        assert len(sink.spans) == records["exported"]


async def test_a_partial_success_is_counted_as_such(sink: OtlpSink) -> None:
    partial = ExportTraceServiceResponse()
    partial.partial_success.rejected_spans = 3
    partial.partial_success.error_message = "too old"
    sink.refusals.append(web.Response(body=partial.SerializeToString(), content_type="application/x-protobuf"))
    async with sidecar("front", calls=(), telemetry=sink.url) as front:
        await calls(front, 10)
        await front.idle()
        assert dropped(front) == {"rejected": 3}
        assert front.stats()["records"]["exported"] == 7


async def test_without_a_collector_records_are_counted_and_let_go() -> None:
    async with sidecar("front", calls=()) as front:
        await calls(front, 10)
        await front.idle()
        assert dropped(front) == {"unsendable": 10}


async def test_the_collector_may_move(sink: OtlpSink) -> None:
    async with sidecar("front", calls=(), telemetry=f"http://127.0.0.1:{free_port()}/v1/traces") as front:
        await calls(front, 10)
        await front.apply(telemetry=front.snapshot.telemetry.model_copy(update={"endpoint": sink.url}))
        await sink.wait(10)
        await front.idle()
        assert dropped(front) == {}


async def test_draining_exports_what_is_queued(sink: OtlpSink) -> None:
    async with sidecar("front", calls=(), telemetry=sink.url) as front:
        await front.apply(telemetry=front.snapshot.telemetry.model_copy(update={"flush_ms": 60_000}))
        await calls(front, 30)
        assert await front.drain()
        assert len(sink.spans) == 30
        assert front.stats()["records"]["pending"] == 0


async def test_draining_admits_what_it_could_not_export() -> None:
    async with sidecar("front", calls=(), telemetry=f"http://127.0.0.1:{free_port()}/v1/traces") as front:
        await calls(front, 10)
        assert not await front.drain(0.1)
        assert front.stats()["records"]["pending"] == 10
