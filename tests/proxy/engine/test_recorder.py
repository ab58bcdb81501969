"""Mode `recorder` of one engine: what it keeps, what it sends, and what it tells others of."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from proxy._engine import Engine
from proxy.snapshot import Node, Snapshot, Workload
from tests.world.apps import app
from tests.world.engines import sidecar
from tests.world.otlp_sink import OtlpSink, eventually

RECORDER: dict[str, Any] = {"mode": "recorder", "ring_bytes": 4 << 20, "slow_ms": 0}


async def test_spans_that_end_after_the_flush_are_sent_too(sink: OtlpSink, session: aiohttp.ClientSession) -> None:
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def handle(request: web.Request) -> web.StreamResponse:
        arrived.set()
        await go_on.wait()
        return web.Response()

    async with app(handle) as address, sidecar("back", app=address, telemetry=sink.url, export=RECORDER) as back:
        trace = "0af7651916cd43dd8448eb211c80319c"
        parent = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
        call = asyncio.create_task(session.get(f"http://{back.inbound}/", headers=parent))
        await arrived.wait()
        back.engine.flush([trace])
        go_on.set()
        async with await call as response:
            assert response.status == 200
        (span,) = await sink.wait(1)
        assert span.trace == trace
        assert back.engine.flagged(10, 0) == [], "others know already"


async def test_the_slow_are_told_and_the_rest_is_kept_in_bounds(sink: OtlpSink, session: aiohttp.ClientSession) -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(float(request.query.get("s", "0")))
        return web.Response()

    export = {**RECORDER, "slow_ms": 2_000, "ring_bytes": 65_536}
    async with app(handle) as address, sidecar("back", app=address, telemetry=sink.url, export=export) as back:
        for _ in range(500):
            async with session.get(f"http://{back.inbound}/") as response:
                await response.read()
        async with session.get(f"http://{back.inbound}/?s=2") as response:
            await response.read()
        (span,) = await sink.wait(1)
        assert span.duration_ms >= 2_000
        await back.idle()
        records = back.stats()["records"]
        assert (records["recorded"], records["exported"]) == (501, 1)
        assert records["forgotten"] > 0 < records["held"]
        assert records["held"] + records["forgotten"] == 500
        assert back.stats()["recorder"] == {"flagged": 1, "untold": 0}


async def test_the_mode_changes_live(sink: OtlpSink, session: aiohttp.ClientSession) -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        return web.Response()

    async with app(handle) as address, sidecar("back", app=address, telemetry=sink.url, export=RECORDER) as back:

        async def call() -> None:
            async with session.get(f"http://{back.inbound}/") as response:
                await response.read()

        await call()
        await eventually(lambda: back.stats()["records"]["held"] == 1, "the record to be kept back")
        await back.apply(telemetry=back.snapshot.telemetry.model_copy(update={"mode": "all"}))
        await call()
        await sink.wait(1)
        await back.idle()
        assert len(sink.spans) == 1
        assert back.stats()["records"]["held"] == 1


def test_what_is_no_trace_is_refused() -> None:
    workload = Workload(node=Node(service="a", version="v1", instance="a-1"))
    engine = Engine(Snapshot(epoch=1, workloads=(workload,)).model_dump_json())
    for text in ("", "0af7651916cd43dd8448eb211c80319", "0AF7651916CD43DD8448EB211C80319C", "x" * 32):
        with pytest.raises(ValueError, match="32 lower-case"):
            engine.flush([text])
    engine.drain(0)
