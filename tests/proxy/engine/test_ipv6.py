"""Everything that has an address has one of IPv6 as well."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from proxy.snapshot import Listener, Outbound
from tests.proxy.engine.test_tunnels import shout
from tests.world.apps import app, dial, echo, head, talker
from tests.world.engines import sidecar, upstream
from tests.world.otlp_sink import OtlpSink, otlp_sink
from tests.world.processes import free_port

LOOPBACK = "::1"


def at(host: str = LOOPBACK) -> str:
    return f"[{host}]:{free_port()}"


@pytest.fixture
async def sink() -> AsyncIterator[OtlpSink]:
    async with otlp_sink(host=LOOPBACK) as sink:
        yield sink


@pytest.mark.parametrize("protocol", ["http1", "detect"])
async def test_requests_pass_two_proxies_and_their_spans_leave(
    sink: OtlpSink, session: aiohttp.ClientSession, protocol: str
) -> None:
    inbound = {"listen": at(), "protocol": protocol}
    outbound = Outbound(listen=at())
    async with (
        app(echo, LOOPBACK) as address,
        sidecar("back", app=address, inbound=inbound, telemetry=sink.url) as back,
        sidecar("front", calls=(upstream("back", back.endpoint),), outbound=outbound, telemetry=sink.url) as front,
    ):
        async with session.get("http://back/a", proxy=front.proxy) as response:
            assert response.status == 200
            assert json.loads(await response.text())["path"] == "/a"
        client, server = sorted(await sink.wait(2), key=lambda span: span.kind)
        assert (client.trace, client.span) == (server.trace, server.parent)
        assert client.attributes["network.peer.address"] == server.attributes["client.address"] == LOOPBACK
        assert client.attributes["network.peer.port"] == int(back.inbound.rpartition(":")[2])


async def test_an_authority_may_be_an_address(sink: OtlpSink) -> None:
    async with app(echo, LOOPBACK) as address:
        back = upstream("back", address).model_copy(update={"authorities": ("[fd00::7]:8080",)})
        async with (
            sidecar("front", calls=(back,), outbound=Outbound(listen=at()), telemetry=sink.url) as front,
            dial(front.proxy) as (reader, writer),
        ):
            writer.write(b"GET http://[fd00::7]:8080/a HTTP/1.1\r\nhost: [fd00::7]:8080\r\n\r\n")
            assert (await head(reader)).startswith("HTTP/1.1 200")
            (span,) = await sink.wait(1)
            assert (span.attributes["server.address"], span.attributes["server.port"]) == ("fd00::7", 8080)


async def test_bytes_pass_two_proxies(sink: OtlpSink) -> None:
    listener = Listener(listen=at(), service="db")
    outbound = Outbound(listen=at(), listeners=(listener,))
    async with (
        talker(shout, LOOPBACK) as address,
        sidecar("db", app=address, inbound={"listen": at(), "protocol": "tcp"}, telemetry=sink.url) as db,
        sidecar("front", calls=(upstream("db", db.endpoint, protocol="tcp"),), telemetry=sink.url, outbound=outbound),
    ):
        async with dial(listener.listen) as (reader, writer):
            writer.write(b"a")
            assert await reader.readexactly(1) == b"A"
        for span in await sink.wait(2):
            assert span.attributes["network.peer.address"] == LOOPBACK


@pytest.mark.parametrize("limits", [{}, {"connections_per_client": 1}])
async def test_one_address_takes_both_families_and_tells_them_apart(sink: OtlpSink, limits: dict[str, Any]) -> None:
    inbound = {"listen": at("::")}
    async with (
        app(echo, LOOPBACK) as address,
        sidecar("back", app=address, inbound=inbound, telemetry=sink.url, **limits) as back,
    ):
        port = back.inbound.rpartition(":")[2]
        async with dial(f"127.0.0.1:{port}") as four, dial(f"[::1]:{port}") as six:
            for reader, writer in (four, six):
                writer.write(b"GET /a HTTP/1.1\r\nhost: back\r\n\r\n")
                assert (await head(reader)).startswith("HTTP/1.1 200")
        spans = await sink.wait(2)
        assert [span.attributes["client.address"] for span in spans] == ["127.0.0.1", LOOPBACK]
