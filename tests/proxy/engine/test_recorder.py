"""Mode `recorder`: nothing is sent of ordinary traces, and everything of those in which something happened."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from proxy._engine import Engine
from proxy.snapshot import Node, Snapshot
from tests.world.apps import app
from tests.world.engines import Sidecar, sidecar, upstream
from tests.world.otlp_sink import OtlpSink, eventually, otlp_sink

HOPS = 6
RECORDER: dict[str, Any] = {"mode": "recorder", "ring_bytes": 4 << 20, "slow_ms": 0}


@contextlib.asynccontextmanager
async def chain(sink: OtlpSink, export: dict[str, Any]) -> AsyncIterator[list[Sidecar]]:
    """s1 calls s2 calls ... s6; s5 also calls a side branch first, and hides from its caller what fails behind it."""
    async with contextlib.AsyncExitStack() as world:
        session = await world.enter_async_context(aiohttp.ClientSession())
        side = await world.enter_async_context(_service("side", None, [], session, sink, export))
        chained = [side]
        for number in range(HOPS, 0, -1):
            calls = ["side"] if number == HOPS - 1 else []
            calls += [f"s{number + 1}"] if number < HOPS else []
            service = _service(f"s{number}", chained, calls, session, sink, export)
            chained.append(await world.enter_async_context(service))
        yield chained[::-1]


@contextlib.asynccontextmanager
async def _service(
    name: str,
    known: list[Sidecar] | None,
    calls: list[str],
    session: aiohttp.ClientSession,
    sink: OtlpSink,
    export: dict[str, Any],
) -> AsyncIterator[Sidecar]:
    proxies: list[str] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        if name == f"s{HOPS}" and "fail" in request.query:
            return web.Response(status=500)
        headers = {key: request.headers[key] for key in ("traceparent", "tracestate")}
        for callee in calls:
            url = f"http://{callee}{request.path_qs}"
            async with session.get(url, headers=headers, proxy=proxies[0]) as response:
                await response.read()
        return web.Response()

    upstreams = tuple(upstream(one.node.service, one.endpoint) for one in known or ())
    async with (
        app(handle) as address,
        sidecar(name, app=address, calls=upstreams, telemetry=sink.url, export=export) as started,
    ):
        proxies.append(started.proxy)
        yield started


async def pass_on(sidecars: list[Sidecar]) -> None:
    """What sidecars and control plane do: tells every engine what any has flagged."""
    engines: list[Engine] = [one.engine for one in sidecars]
    while True:
        for engine in engines:
            if traces := engine.flagged(1_000, 0):
                for other in engines:
                    other.flush(traces)
        await asyncio.sleep(0.02)


async def load(session: aiohttp.ClientSession, entry: str, requests: int) -> None:
    async def client() -> None:
        for _ in range(requests // 8):
            async with session.get(f"http://{entry}/orders/7") as response:
                assert response.status == 200

    await asyncio.gather(*(client() for _ in range(8)))


async def test_one_failure_in_a_thousand_is_told_whole_and_costs_next_to_nothing(
    session: aiohttp.ClientSession,
) -> None:
    requests, spans = 1_600, 2 * HOPS + 1
    sent = {}
    for mode in ("all", "recorder"):
        async with otlp_sink() as sink, chain(sink, {**RECORDER, "mode": mode}) as sidecars:
            passing = asyncio.create_task(pass_on(sidecars))
            await load(session, sidecars[0].inbound, requests // 2)
            async with session.get(f"http://{sidecars[0].inbound}/orders/7?fail") as response:
                assert response.status == 200, "the failure is hidden from everyone above the fifth hop"
            await load(session, sidecars[0].inbound, requests // 2)
            failing = [span for span in await sink.wait(spans) if span.error] if mode == "recorder" else []
            if mode == "all":
                expected = (requests + 1) * spans
                await eventually(lambda: len(sink.spans) == expected, f"{expected} spans", patience_s=60)  # noqa: B023
            passing.cancel()
            sent[mode] = sink.received_bytes
            counted = sum(one.counted(direction="inbound") for one in sidecars)
            assert counted == (requests + 1) * (HOPS + 1), "counters are exact in both modes"
            if mode == "recorder":
                assert {span.trace for span in sink.spans} == {failing[0].trace}
                assert len({span.span for span in sink.spans}) == len(sink.spans) == spans
                ids = {span.span for span in sink.spans}
                assert [span.parent in ids for span in sink.spans].count(False) == 1, "one tree"
    assert sent["recorder"] < 0.01 * sent["all"]


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

    export = {**RECORDER, "slow_ms": 100, "ring_bytes": 65_536}
    async with app(handle) as address, sidecar("back", app=address, telemetry=sink.url, export=export) as back:
        for _ in range(500):
            async with session.get(f"http://{back.inbound}/") as response:
                await response.read()
        async with session.get(f"http://{back.inbound}/?s=0.1") as response:
            await response.read()
        (span,) = await sink.wait(1)
        assert span.duration_ms >= 100
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
    engine = Engine(Snapshot(epoch=1, node=Node(service="a", version="v1", instance="a-1")).model_dump_json())
    for text in ("", "0af7651916cd43dd8448eb211c80319", "0AF7651916CD43DD8448EB211C80319C", "x" * 32):
        with pytest.raises(ValueError, match="32 lower-case"):
            engine.flush([text])
    engine.drain(0)
