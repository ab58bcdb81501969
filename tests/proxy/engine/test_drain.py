"""A proxy that stops: what it has begun is finished, and its callers are told."""

from __future__ import annotations

import asyncio

import aiohttp
from aiohttp import web

from tests.world.apps import app
from tests.world.engines import sidecar
from tests.world.otlp_sink import eventually, otlp_sink
from tests.world.processes import listens


async def test_a_request_in_flight_is_answered_and_the_last_of_its_connection() -> None:
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def held(_: web.Request) -> web.StreamResponse:
        arrived.set()
        await go_on.wait()
        return web.Response(text="late")

    async with (
        otlp_sink() as sink,
        app(held) as place,
        sidecar("back", app=place, telemetry=sink.url) as back,
        aiohttp.ClientSession() as session,
    ):
        asked = asyncio.create_task(session.get(f"http://{back.inbound}/"))
        await arrived.wait()
        drained = asyncio.create_task(back.drain(30))
        await eventually(lambda: not listens(back.inbound), lambda: "still listens")
        go_on.set()
        async with await asked as response:
            assert (response.status, await response.text()) == (200, "late")
            assert response.headers["connection"] == "close"
        assert await drained, "nothing was cut off"
        assert sink.spans[0]["http.response.status_code"] == 200


async def test_what_does_not_end_in_time_is_cut_off_and_says_so() -> None:
    arrived = asyncio.Event()

    async def stuck(_: web.Request) -> web.StreamResponse:
        arrived.set()
        await asyncio.sleep(60)
        return web.Response()

    async with (
        otlp_sink() as sink,
        app(stuck) as place,
        sidecar("back", app=place, telemetry=sink.url) as back,
        aiohttp.ClientSession() as session,
    ):
        asked = asyncio.create_task(session.get(f"http://{back.inbound}/"))
        await arrived.wait()
        assert not await back.drain(0.2)
        (failure,) = await asyncio.gather(asked, return_exceptions=True)
        assert isinstance(failure, aiohttp.ClientError)
        assert (await sink.wait(1))[0]["mesh.reason"] == "draining"
