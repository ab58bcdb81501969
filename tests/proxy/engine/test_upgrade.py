"""A request that switches protocols becomes a tunnel through both proxies, and one span on each."""

from __future__ import annotations

import asyncio

import aiohttp

from tests.proxy.engine.conftest import Pair
from tests.world.apps import app, dial, head, talker, websocket_echo
from tests.world.engines import sidecar, upstream
from tests.world.otlp_sink import OtlpSink


async def test_a_websocket_talks_through_two_engines(sink: OtlpSink, session: aiohttp.ClientSession) -> None:
    async with (
        app(websocket_echo) as address,
        sidecar("back", app=address, telemetry=sink.url) as back,
        sidecar("front", calls=(upstream("back", back.endpoint, protocol="http2"),), telemetry=sink.url) as front,
    ):
        async with session.ws_connect("http://back/ws", proxy=front.proxy) as socket:
            for word in ("one", "two", "x" * 200_000):
                await socket.send_str(word)
                assert await socket.receive_str() == word.upper()
            assert sink.spans == [], "a span ends when its tunnel ends"
        (client,) = await sink.wait(1, "front")
        (server,) = await sink.wait(1, "back")
    assert client["http.response.status_code"] == server["http.response.status_code"] == 101
    assert not client.error
    assert server.parent == client.span


async def test_any_protocol_can_be_switched_to(sink: OtlpSink) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await head(reader)
        assert "upgrade: chat/2" in asked
        assert "connection: upgrade" in asked
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: chat/2\r\n\r\nhello ")
        writer.write((await reader.readexactly(3)).upper())
        await writer.drain()
        assert await reader.read() == b""

    async with (
        talker(talk) as address,
        sidecar("back", app=address, telemetry=sink.url) as back,
        sidecar("front", calls=(upstream("back", back.endpoint),), telemetry=sink.url) as front,
    ):
        async with dial(front.proxy) as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\nhost: back\r\nconnection: Upgrade\r\nupgrade: chat/2\r\n\r\nyes")
            assert "upgrade: chat/2" in await asyncio.wait_for(head(reader), 5)
            writer.write_eof()
            assert await asyncio.wait_for(reader.read(), 5) == b"hello YES"
        await sink.wait(1, "back")


async def test_an_upgrade_the_application_ignores_is_a_plain_request(pair: Pair) -> None:
    async with pair.call(headers={"connection": "upgrade", "upgrade": "h2c"}) as response:
        assert response.status == 200
    async with pair.call() as response:
        assert response.status == 200
