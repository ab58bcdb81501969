"""Calls spread over the instances of a service and survive the loss of one."""

from __future__ import annotations

import asyncio
from collections import Counter

import aiohttp
from aiohttp import web

from tests.world.apps import Handler, app, talker
from tests.world.engines import sidecar, upstream
from tests.world.otlp_sink import OtlpSink
from tests.world.processes import free_port


def named(name: str) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        return web.Response(text=name)

    return handle


async def ask(session: aiohttp.ClientSession, proxy: str) -> str:
    async with session.post("http://back/", data=b"x", proxy=proxy) as response:
        return f"{response.status} {await response.text()}"


async def test_instances_share_the_calls(session: aiohttp.ClientSession) -> None:
    async with (
        app(named("a")) as a,
        app(named("b")) as b,
        app(named("c")) as c,
        sidecar("front", calls=(upstream("back", a, b, c),)) as front,
    ):
        answers = Counter([await ask(session, front.proxy) for _ in range(60)])
    assert set(answers) == {"200 a", "200 b", "200 c"}


async def test_a_crashed_instance_costs_no_request(sink: OtlpSink, session: aiohttp.ClientSession) -> None:
    dead = f"127.0.0.1:{free_port()}"
    async with (
        app(named("a")) as a,
        sidecar("front", calls=(upstream("back", dead, a),), telemetry=sink.url) as front,
    ):
        answers = Counter([await ask(session, front.proxy) for _ in range(50)])
        await front.idle()
        assert front.counted(direction="outbound") == 50
    assert answers == {"200 a": 50}
    failed = [span for span in sink.of("front") if span.attributes.get("mesh.reason") == "connect_refused"]
    assert failed, "the dead instance was tried at least once"
    assert len(failed) < 5, "and then left alone"
    for span in failed:
        assert span.error
        assert span["mesh.destination.instance"] == "back-1"
        (second,) = [other for other in sink.of("front") if other.trace == span.trace and other.span != span.span]
        assert (span["mesh.attempt"], second["mesh.attempt"]) == (1, 2)
        assert second["http.request.resend_count"] == 1
        assert second.parent == span.parent
        assert second["mesh.destination.instance"] == "back-2"
        assert "http.request.resend_count" not in span.attributes


async def test_attempts_are_bounded(sink: OtlpSink, session: aiohttp.ClientSession) -> None:
    dead = [f"127.0.0.1:{free_port()}" for _ in range(5)]
    async with sidecar("front", calls=(upstream("back", *dead, connect_attempts=3),), telemetry=sink.url) as front:
        assert (await ask(session, front.proxy)).startswith("503")
        spans = await sink.wait(3, "front")
        assert front.counted(direction="outbound", reason="connect_refused") == 1
    assert [span["mesh.attempt"] for span in spans] == [1, 2, 3]
    assert len({span["mesh.destination.instance"] for span in spans}) == 3


async def test_the_busy_instance_gets_less(session: aiohttp.ClientSession) -> None:
    async def stuck(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with (
        talker(stuck) as slow,
        app(named("quick")) as quick,
        sidecar("front", calls=(upstream("back", slow, quick),)) as front,
    ):
        held = [asyncio.create_task(ask(session, front.proxy)) for _ in range(20)]
        done, waiting = await asyncio.wait(held, timeout=1)
        assert all(task.result() == "200 quick" for task in done)
        assert 1 <= len(waiting) <= 12
        answers = Counter([await ask(session, front.proxy) for _ in range(30)])
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    assert answers == {"200 quick": 30}


async def test_a_name_is_called_at_whichever_of_its_addresses_answers(session: aiohttp.ClientSession) -> None:
    async with app(named("a")) as address:
        name = f"localhost:{address.rpartition(':')[2]}"
        async with sidecar("front", calls=(upstream("back", name),), pool_idle_per_endpoint=0) as front:
            answers = Counter([await ask(session, front.proxy) for _ in range(10)])
            assert front.counted(direction="outbound", reason="connect_refused") == 0
    assert answers == {"200 a": 10}
