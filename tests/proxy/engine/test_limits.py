"""Each limit, exceeded for real: the client hears why, it is counted, and whoever keeps within it is served."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.proxy.engine.conftest import Pair
from tests.world.apps import app, dial, echo, head, talker, websocket_echo
from tests.world.engines import Sidecar, sidecar, upstream
from tests.world.frames import INITIAL_WINDOW_SIZE, ask, headers, http2, settings
from tests.world.otlp_sink import OtlpSink, eventually

assert INITIAL_WINDOW_SIZE  # named by `settings`


async def limit(of: Sidecar, **limits: int | None) -> None:
    """Puts other limits in force while it serves."""
    await of.apply(limits=of.snapshot.limits.model_copy(update=limits))


async def told(sidecar: Sidecar, *pieces: bytes, close: bool = False) -> str:
    """Everything a proxy answers to these bytes, until it closes the connection."""
    async with dial(sidecar.proxy) as (reader, writer):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if close:
            writer.write_eof()
        return (await asyncio.wait_for(reader.read(), 10)).decode("latin-1")


def assert_refused(answer: str, status: int, code: str) -> None:
    assert answer.startswith(f"HTTP/1.1 {status} "), answer
    assert f"\r\nmesh-reason: {code}\r\n" in answer
    assert "\r\nconnection: close\r\n" in answer
    assert answer.endswith(".\n"), "with a sentence"
    assert answer.count("HTTP/1.1 ") == 1


GET = b"GET / HTTP/1.1\r\nhost: back\r\n"
POST = b"POST / HTTP/1.1\r\nhost: back\r\n"


@pytest.mark.parametrize(
    ("limits", "fits", "exceeds", "status", "code"),
    [
        ({"headers": 16}, b"x: y\r\n" * 15, b"x: y\r\n" * 16, 431, "headers_too_large"),
        ({"headers": 120}, b"x: y\r\n" * 119, b"x: y\r\n" * 120, 431, "headers_too_large"),
        ({"header_bytes": 8_192}, b"x: %8000d\r\n" % 1, b"x: %8192d\r\n" % 1, 431, "headers_too_large"),
        ({"body_bytes": 5}, b"content-length: 5\r\n\r\n12345", b"content-length: 6\r\n\r\n", 413, "body_too_large"),
    ],
)
async def test_a_head_or_length_beyond_its_limit(
    pair: Pair, limits: dict[str, int], fits: bytes, exceeds: bytes, status: int, code: str
) -> None:
    await limit(pair.front, **limits)
    await limit(pair.back, **limits | {"headers": 400})
    rest = b"" if b"\r\n\r\n" in fits else b"\r\n"
    answer = await told(pair.front, POST + fits + rest, close=True)
    assert answer.startswith("HTTP/1.1 200 "), "what fits is served"
    assert_refused(await told(pair.front, POST + exceeds + rest), status, code)
    assert pair.front.stats()["refused"][code] == 1
    assert pair.back.counted(direction="inbound") == 1, "what does not is not forwarded"


async def test_a_long_url(pair: Pair) -> None:
    await limit(pair.front, uri_bytes=300)
    fits, exceeds = (b"GET /" + b"a" * length + b" HTTP/1.1\r\nhost: back\r\n\r\n" for length in (299, 300))
    assert (await told(pair.front, fits, close=True)).startswith("HTTP/1.1 200 ")
    assert_refused(await told(pair.front, exceeds), 414, "uri_too_long")
    assert_refused(await told(pair.front, b"GET /" + b"a" * 2_000), 414, "uri_too_long")
    assert pair.front.stats()["refused"]["uri_too_long"] == 2


async def test_a_body_of_unknown_length_is_cut_where_it_exceeds_its_limit(pair: Pair) -> None:
    await limit(pair.front, body_bytes=1_000)
    chunked = POST + b"transfer-encoding: chunked\r\n\r\n"
    chunk = b"64\r\n" + b"x" * 100 + b"\r\n"
    assert (await told(pair.front, chunked, chunk * 10, b"0\r\n\r\n", close=True)).startswith("HTTP/1.1 200 ")
    answer = await told(pair.front, chunked, chunk * 11)
    assert_refused(answer, 413, "body_too_large")
    client = (await pair.sink.wait(2, "front"))[-1]
    assert client["mesh.reason"] == "body_too_large"
    assert pair.front.stats()["refused"]["body_too_large"] == 1


async def test_http2_has_the_same_limits(pair: Pair) -> None:
    await limit(pair.front, headers=20, uri_bytes=300, body_bytes=5)
    async with http2(pair.front.proxy) as connection:
        await connection.say(
            headers(1, ask("back", "/", "GET", *[("x", "y")] * 21)),
            headers(3, ask("back", "/" + "a" * 300)),
            headers(5, ask("back", "/", "POST", ("content-length", "6")), end=False),
            headers(7, ask("back")),
        )
        heard = await connection.hear([1, 3, 7])
        await eventually(lambda: pair.front.stats()["refused"]["body_too_large"] == 1, "the third to be refused")
    assert heard.statuses[1] == "431"
    assert heard.answers[1]["mesh-reason"] == "headers_too_large"
    assert heard.statuses[3] == "414"
    assert heard.statuses[7] == "200", "the connection goes on"
    reasons = {span.attributes.get("mesh.reason") for span in await pair.sink.wait(4, "front")}
    assert reasons == {"headers_too_large", "uri_too_long", "body_too_large", None}


async def test_a_slow_head_is_told_so(pair: Pair) -> None:
    await limit(pair.front, header_timeout_ms=100)
    assert_refused(await told(pair.front, GET), 408, "request_timeout")
    assert_refused(await told(pair.front, b"G"), 408, "request_timeout")
    assert pair.front.stats()["refused"]["request_timeout"] == 2


async def test_a_head_that_drips_in_time_is_served(pair: Pair) -> None:
    answer = await told(pair.front, *(bytes((byte,)) for byte in GET + b"\r\n"), close=True)
    assert answer.startswith("HTTP/1.1 200 ")


async def test_an_answer_comes_before_the_refusal_of_what_follows_it(pair: Pair) -> None:
    answer = await told(pair.front, GET + b"\r\n" + GET + b"host : x\r\n\r\n" + GET + b"\r\n")
    assert answer.startswith("HTTP/1.1 200 ")
    assert answer.count("HTTP/1.1 ") == 2
    assert "mesh-reason: bad_request" in answer
    assert pair.back.counted(direction="inbound") == 1


@pytest.mark.parametrize("least", [0, 10])
async def test_an_upload_that_stalls(pair: Pair, least: int) -> None:
    await limit(pair.front, body_timeout_ms=150, body_progress_bytes=max(least, 1))
    async with dial(pair.front.proxy) as (reader, writer):
        writer.write(POST + b"content-length: 1000\r\n\r\n")

        async def drip() -> None:
            while True:
                writer.write(b"x")
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip()) if least else None
        answer = (await asyncio.wait_for(reader.read(), 10)).decode()
        if dripping:
            dripping.cancel()
    assert_refused(answer, 408, "request_stalled")
    (client,) = await pair.sink.wait(1, "front")
    assert client["mesh.reason"] == "request_stalled"
    assert pair.front.stats()["refused"]["request_stalled"] == 1


@contextlib.asynccontextmanager
async def beginning(sink: OtlpSink) -> AsyncIterator[tuple[Sidecar, Sidecar]]:
    """A pair whose application begins an answer and falls silent."""

    async def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegun")
        await writer.drain()
        await reader.read()

    async with (
        talker(begin) as address,
        sidecar("back", app=address, telemetry=sink.url) as back,
        sidecar("front", calls=(upstream("back", back.endpoint),), telemetry=sink.url) as front,
    ):
        yield front, back


@pytest.mark.parametrize("side", ["front", "back"])
async def test_a_response_that_stalls(sink: OtlpSink, session: aiohttp.ClientSession, side: str) -> None:
    async with beginning(sink) as (front, back):
        await limit(front if side == "front" else back, response_body_timeout_ms=100)
        async with session.get("http://back/", proxy=front.proxy) as response:
            assert response.status == 200
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()
        (client,) = await sink.wait(1, "front")
        (server,) = await sink.wait(1, "back")
    expected = ("upstream_stalled", "client_cancelled") if side == "front" else ("upstream_reset", "app_stalled")
    assert (client["mesh.reason"], server["mesh.reason"]) == expected
    assert client.error


async def large(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers with more than sockets and buffers on the way can hold."""
    await head(reader)
    size = 64 << 20
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
    for _ in range(size >> 16):
        writer.write(bytes(1 << 16))
        await writer.drain()


@pytest.mark.parametrize("version", ["1.1", "2"])
async def test_a_reader_that_stalls_lets_go_of_the_callee(sink: OtlpSink, version: str) -> None:
    async with (
        talker(large) as address,
        sidecar("front", calls=(upstream("back", address),), telemetry=sink.url, reader_timeout_ms=200) as front,
    ):
        if version == "1.1":
            async with dial(front.proxy) as (reader, writer):
                writer.transport.pause_reading()  # type: ignore[attr-defined]
                writer.write(GET + b"\r\n")
                (client,) = await sink.wait(1, "front")
                del reader
        else:
            async with http2(front.proxy, settings(INITIAL_WINDOW_SIZE=10)) as connection:
                await connection.say(headers(1, ask()))
                heard = await connection.hear([1])
                (client,) = await sink.wait(1, "front")
                assert heard.resets, "this stream ends"
                assert heard.went_away is None, "and not its connection"
        assert (client["mesh.reason"], client["http.response.status_code"]) == ("reader_stalled", 200)
        assert front.stats()["refused"]["reader_stalled"] == 1


async def test_a_window_that_never_opens(sink: OtlpSink) -> None:
    async with (
        app(echo) as address,
        sidecar("front", calls=(upstream("back", address),), telemetry=sink.url, reader_timeout_ms=200) as front,
        http2(front.proxy, settings(INITIAL_WINDOW_SIZE=0)) as connection,
    ):
        await connection.say(*(headers(stream, ask()) for stream in range(1, 41, 2)))
        heard = await connection.hear(range(1, 41, 2))
        assert len(heard.resets) == 20
        assert {span["mesh.reason"] for span in await sink.wait(20, "front")} == {"reader_stalled"}


async def test_a_client_that_half_closes_gets_its_answer(pair: Pair) -> None:
    answer = await told(pair.front, GET.replace(b"/ ", b"/?slow ") + b"\r\n", close=True)
    assert answer.startswith("HTTP/1.1 200 ")
    (client,) = await pair.sink.wait(1, "front")
    assert "mesh.reason" not in client.attributes
    assert client["http.response.status_code"] == 200


async def test_a_client_that_half_closes_waits_as_long_as_it_may(sink: OtlpSink) -> None:
    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        await asyncio.sleep(0.3)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    async with (
        talker(late) as address,
        sidecar("front", calls=(upstream("back", address),), telemetry=sink.url) as front,
    ):
        assert (await told(front, GET + b"\r\n", close=True)).endswith("\r\n\r\nok")
        await limit(front, half_close_timeout_ms=50)
        assert await told(front, GET + b"\r\n", close=True) == ""
        answered, cut = await sink.wait(2, "front")
    assert "mesh.reason" not in answered.attributes
    assert cut["mesh.reason"] == "client_cancelled"


async def test_requests_in_flight(sink: OtlpSink) -> None:
    arrived, go = asyncio.Event(), asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await head(reader)
            arrived.set()
            await go.wait()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    async with (
        talker(hold) as address,
        sidecar("front", calls=(upstream("back", address),), telemetry=sink.url, requests=1) as front,
        dial(front.proxy) as (reader, writer),
        dial(front.proxy) as (other_reader, other_writer),
    ):
        writer.write(GET + b"\r\n")
        await asyncio.wait_for(arrived.wait(), 5)
        other_writer.write(GET + b"\r\n")
        refused = await asyncio.wait_for(head(other_reader), 5)
        assert refused.startswith("HTTP/1.1 503 ")
        assert "mesh-reason: request_limit" in refused
        assert front.stats()["refused"]["request_limit"] == 1
        go.set()
        assert (await asyncio.wait_for(head(reader), 5)).startswith("HTTP/1.1 200 ")
        await other_reader.readline()
        other_writer.write(GET + b"\r\n")
        assert (await asyncio.wait_for(head(other_reader), 5)).startswith("HTTP/1.1 200 "), "on the same connection"


async def test_connections_of_one_client(pair: Pair) -> None:
    await limit(pair.front, connections_per_client=2)
    async with dial(pair.front.proxy), dial(pair.front.proxy):
        await eventually(lambda: pair.front.stats()["connections"]["outbound"] == 2, "two connections")
        answer = await told(pair.front)
        assert answer.startswith("HTTP/1.1 503 ")
        assert "mesh-reason: client_connection_limit" in answer
    await eventually(lambda: pair.front.stats()["connections"]["outbound"] == 0, "all to be counted out")
    async with pair.call() as response:
        assert response.status == 200


async def test_streams_of_one_connection(sink: OtlpSink) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with (
        talker(hang) as address,
        sidecar("front", calls=(upstream("back", address),), streams=2) as front,
        http2(front.proxy) as connection,
    ):
        await connection.say(*(headers(stream, ask()) for stream in (1, 3, 5)))
        heard = await connection.hear([5])
    assert heard.resets == {5: 7}, "REFUSED_STREAM: safe to try again"


async def test_a_tunnel_nobody_uses(sink: OtlpSink, session: aiohttp.ClientSession) -> None:
    async with (
        app(websocket_echo) as address,
        sidecar("back", app=address, telemetry=sink.url) as back,
        sidecar(
            "front", calls=(upstream("back", back.endpoint),), telemetry=sink.url, tunnel_idle_timeout_ms=300
        ) as front,
        session.ws_connect("http://back/ws", proxy=front.proxy) as socket,
    ):
        for _ in range(8):
            await socket.send_str("still here")
            assert await socket.receive_str() == "STILL HERE"
            await asyncio.sleep(0.1)
        assert (await socket.receive(5)).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE)
        (client,) = await sink.wait(1, "front")
        assert (client["mesh.reason"], client["http.response.status_code"]) == ("tunnel_idle", 101)
