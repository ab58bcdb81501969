"""What goes in comes out: methods, headers, bodies and streams through two engines, nothing gathered on the way."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from aiohttp import web

from tests.proxy.engine.conftest import Pair
from tests.world.apps import app, dial, head, talker
from tests.world.engines import sidecar, upstream
from tests.world.otlp_sink import eventually


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "REPORT"])
async def test_a_request_arrives_as_it_was_sent(pair: Pair, method: str) -> None:
    async with pair.call("/a/b?c=d%20e", method, data="body", headers={"x-own": "1"}) as response:
        assert response.headers["x-from"] == "app"
        told = await response.json()
    assert (told["method"], told["path"], told["body"]) == (method, "/a/b?c=d%20e", "body")
    assert told["headers"]["host"] == "back"
    assert told["headers"]["x-own"] == "1"


@pytest.mark.parametrize("host", ["back", "BACK", "back:80"])
async def test_a_host_header_routes_like_an_absolute_url(pair: Pair, host: str) -> None:
    async with pair.session.get(f"{pair.front.proxy}/x", headers={"host": host}) as response:
        assert response.status == 200
        assert (await response.json())["headers"]["host"] == host


async def test_hop_by_hop_headers_end_at_the_hop(pair: Pair) -> None:
    hop = {
        "connection": "keep-alive, x-private",
        "x-private": "1",
        "keep-alive": "timeout=5",
        "proxy-connection": "keep-alive",
        "proxy-authorization": "Basic eA==",
        "te": "trailers, gzip",
        "x-end": "2",
    }
    async with pair.call(headers=hop) as response:
        told = (await response.json())["headers"]
        assert "keep-alive" not in response.headers
    assert set(hop) & set(told) == {"te", "x-end"}
    assert told["te"] == "trailers"


@pytest.mark.parametrize("status", [204, 304])
async def test_answers_without_a_body_have_none(pair: Pair, status: int) -> None:
    for _ in range(2):
        async with pair.call(f"/?status={status}") as response:
            assert (response.status, await response.read()) == (status, b"")


async def test_head_keeps_the_length_and_has_no_body(pair: Pair) -> None:
    async with pair.call() as whole:
        pass
    async with pair.call(method="HEAD") as response:
        assert await response.read() == b""
        assert int(response.headers["content-length"]) > 0
    assert whole.status == response.status == 200


async def test_large_bodies_pass_both_ways(pair: Pair) -> None:
    body = "0123456789abcdef" * 64 * 1024
    async with pair.call(method="POST", data=body) as response:
        assert (await response.json())["body"] == body


async def test_streams_flow_in_both_directions_while_both_are_open(pair: Pair) -> None:
    """Each piece comes back before the next is sent, so nothing on the way waits for an end."""

    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        async for piece in request.content.iter_any():
            await response.write(piece.upper())
        return response

    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def talk():
        yield b"piece 0"
        for number in range(1, 5):
            assert await asyncio.wait_for(heard.get(), 5) == b"PIECE %d" % (number - 1)
            yield b"piece %d" % number

    async with app(handle) as address:
        assert pair.back.workload.inbound
        await pair.back.change(inbound=pair.back.workload.inbound.model_copy(update={"app": address}))
        async with pair.call(method="POST", data=talk()) as response:
            async for piece in response.content.iter_any():
                heard.put_nowait(piece)
    assert heard.get_nowait() == b"PIECE 4"


async def test_a_slow_reader_holds_the_writer_back(pair: Pair) -> None:
    written = 0

    async def handle(request: web.Request) -> web.StreamResponse:
        nonlocal written
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(1_000):
            await response.write(b"x" * 100_000)
            written += 100_000
        return response

    async with app(handle) as address:
        assert pair.back.workload.inbound
        await pair.back.change(inbound=pair.back.workload.inbound.model_copy(update={"app": address}))
        async with pair.call() as response:
            await response.content.readexactly(1_000)
            seen = -1
            while seen != written:
                seen = written
                await asyncio.sleep(0.1)
            assert seen < 50_000_000, "nearly everything went somewhere though nobody read it"
            rest = await response.content.read()
            assert len(rest) == 99_999_000


async def test_a_slow_upload_is_no_timeout(pair: Pair) -> None:
    """The time for the first byte of the response counts from the last byte of the request."""

    async def drip():
        for _ in range(8):
            await asyncio.sleep(0.05)
            yield b"x"

    await pair.front.change(services=(upstream("back", pair.back.endpoint, timeout_ms=200),))
    async with pair.call(method="POST", data=drip()) as response:
        assert (await response.json())["body"] == "x" * 8


async def test_connections_are_kept_and_reused(pair: Pair) -> None:
    for _ in range(20):
        async with pair.call() as response:
            await response.read()
    spans = await pair.sink.wait(20, "front")
    assert ["mesh.time.connect_us" in span.attributes for span in spans] == [True] + [False] * 19
    assert pair.back.stats()["connections"] == {"inbound": 1, "outbound": 0}


async def test_an_idle_connection_is_closed() -> None:
    async with app(_empty) as address, sidecar("back", app=address, idle_timeout_ms=100) as back:
        async with dial(back.inbound) as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            assert "200" in await head(reader)
            assert await asyncio.wait_for(reader.read(), 5) == b""
        async with dial(back.inbound) as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\nhost:")
            assert await asyncio.wait_for(reader.read(), 5) == b""
        await eventually(lambda: back.stats()["connections"]["inbound"] == 0, "connections to close")


async def _empty(request: web.Request) -> web.StreamResponse:
    return web.Response()


async def test_a_kept_connection_that_dies_is_replaced_without_the_caller_noticing() -> None:
    """The application answers once on each connection and closes it, sometimes just as the next request arrives."""
    served = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        await writer.drain()
        served += 1
        if served % 2:
            await head(reader)  # takes the next request and says nothing

    async with talker(talk) as address, sidecar("back", app=address) as back, aiohttp.ClientSession() as session:
        for _ in range(20):
            async with session.get(f"http://{back.inbound}/") as response:
                assert (response.status, await response.read()) == (200, b"ok")
    assert served == 20


async def test_expect_continue_is_met(pair: Pair) -> None:
    async with dial(pair.front.proxy) as (reader, writer):
        writer.write(b"POST http://back/ HTTP/1.1\r\nhost: back\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n")
        assert (await asyncio.wait_for(head(reader), 5)).startswith("HTTP/1.1 100")
        writer.write(b"hello")
        assert (await asyncio.wait_for(head(reader), 5)).startswith("HTTP/1.1 200")


async def test_trailers_pass() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert "te: trailers" in await head(reader)
        writer.write(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n2\r\nok\r\n0\r\nx-sum: 42\r\n\r\n"
        )
        await reader.read()

    async with (
        talker(talk) as address,
        sidecar("back", app=address) as back,
        sidecar("front", calls=(upstream("back", back.endpoint),)) as front,
        dial(front.proxy) as (reader, writer),
    ):
        writer.write(b"GET http://back/ HTTP/1.1\r\nhost: back\r\nte: trailers\r\nconnection: te\r\n\r\n")
        assert "trailer: x-sum" in await head(reader)
        assert await asyncio.wait_for(reader.readuntil(b"x-sum: 42\r\n\r\n"), 5) == b"2\r\nok\r\n0\r\nx-sum: 42\r\n\r\n"


async def test_http_1_0_is_served(pair: Pair) -> None:
    async with dial(pair.back.inbound) as (reader, writer):
        writer.write(b"GET /old HTTP/1.0\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 5)
    assert answer.startswith(b"HTTP/1.0 200")
    assert b"/old" in answer


async def test_many_at_once_through_two_workers(session: aiohttp.ClientSession) -> None:
    async with (
        app(_empty) as address,
        sidecar("back", app=address, workers=2) as back,
        sidecar("front", calls=(upstream("back", back.endpoint),), workers=2) as front,
    ):

        async def call() -> int:
            async with session.get("http://back/", proxy=front.proxy) as response:
                return response.status

        assert await asyncio.gather(*(call() for _ in range(300))) == [200] * 300
        assert front.counted(direction="outbound", peer="back", status="2xx") == 300
        assert back.counted(direction="inbound", peer="front", status="2xx") == 300
