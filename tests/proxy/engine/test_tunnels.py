"""Connections whose bytes nobody looks at: carried whole, ended as their users end them, and each told of by a span."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from proxy.snapshot import Listener, Outbound, Upstream
from tests.world.apps import app, dial, echo, head, talker
from tests.world.certificates import Authority
from tests.world.engines import Sidecar, sidecar, upstream
from tests.world.otlp_sink import OtlpSink, eventually
from tests.world.processes import free_port, listens


async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says everything back in capitals, and ends when its caller does."""
    while data := await reader.read(65_536):
        writer.write(data.upper())
        await writer.drain()


async def count_to_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers only when its caller has said everything."""
    writer.write(str(len(await reader.read())).encode())


async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speaks first, as SMTP and MySQL servers do."""
    writer.write(b"220 ready\r\n")
    await shout(reader, writer)


@contextlib.asynccontextmanager
async def caller(
    sink: OtlpSink, *calls: Upstream, connect: tuple[str, ...] = (), sni: bool = False, **limits: int
) -> AsyncIterator[tuple[Sidecar, str]]:
    """A proxy with a listener for the first service (or for server names), and that listener's address."""
    listener = Listener(listen=f"127.0.0.1:{free_port()}", service=None if sni else calls[0].name)
    outbound = Outbound(listen=f"127.0.0.1:{free_port()}", listeners=(listener,), connect=connect)
    async with sidecar("front", calls=calls, telemetry=sink.url, outbound=outbound, **limits) as front:
        yield front, listener.listen


def tunnels(of: Sidecar) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = of.stats()["tunnels"]
    return lines


async def ended(of: Sidecar, reason: str = "") -> dict[str, Any]:
    """The series of the first tunnel, once it has ended for this reason."""
    await eventually(lambda: any(reason in one["ended"] for one in tunnels(of)), lambda: str(tunnels(of)))
    return next(one for one in tunnels(of) if reason in one["ended"])


async def test_bytes_pass_both_proxies_and_both_ends_tell_of_the_same_connection(sink: OtlpSink) -> None:
    async with (
        talker(shout) as address,
        sidecar("db", app=address, inbound={"protocol": "tcp"}, telemetry=sink.url) as db,
        caller(sink, upstream("db", db.endpoint, protocol="tcp")) as (front, listener),
    ):
        async with dial(listener) as (reader, writer):
            writer.write(b"select 1")
            assert await reader.readexactly(8) == b"SELECT 1"
            assert tunnels(front)[0]["open"] == 1
            assert tunnels(front)[0]["sent_bytes"] == 8, "counted while it is open"
            writer.write_eof()
            assert await reader.read() == b""
        client, server = await sink.wait(2)
        client, server = sorted((client, server), key=lambda span: span.kind)
        assert (client.name, server.name) == ("tcp db", "tcp")
        for span in (client, server):
            assert span.attributes["mesh.protocol"] == span.attributes["mesh.route"] == "tcp"
            assert (span.attributes["mesh.sent_bytes"], span.attributes["mesh.received_bytes"]) == (8, 8)
            assert span.attributes["mesh.destination.instance"] == "db-1"
            assert "mesh.detect_us" not in span.attributes, "it was declared"
            assert "mesh.reason" not in span.attributes
        assert client.attributes["mesh.source.service"] == "front"
        assert client.trace != server.trace, "bytes carry no trace context"
        between = (client.attributes["network.local.address"], client.attributes["network.local.port"])
        assert between == (server.attributes["network.peer.address"], server.attributes["network.peer.port"])
        assert (await ended(front))["ended"] == {"": 1}


async def test_an_end_of_one_side_leaves_the_other_open(sink: OtlpSink) -> None:
    async with (
        talker(count_to_end) as address,
        caller(sink, upstream("db", address, protocol="tcp")) as (_, listener),
        dial(listener) as (reader, writer),
    ):
        writer.write(b"x" * 3_000_000)
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), 10) == b"3000000"


async def test_what_breaks_off_on_one_side_breaks_off_on_the_other(sink: OtlpSink) -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        writer.get_extra_info("socket").setsockopt(1, 13, struct.pack("ii", 1, 0))  # SO_LINGER 0: close is a reset

    async with (
        talker(reset) as address,
        caller(sink, upstream("db", address, protocol="tcp")) as (front, listener),
        dial(listener) as (reader, writer),
    ):
        writer.write(b"x")
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 5)
        await ended(front, "upstream_reset")


async def test_silence_of_both_sides_ends_it(sink: OtlpSink) -> None:
    async with (
        talker(shout) as address,
        caller(sink, upstream("db", address, protocol="tcp"), tunnel_idle_timeout_ms=100) as (front, listener),
        dial(listener) as (reader, _),
    ):
        assert await asyncio.wait_for(reader.read(), 5) == b""
        await ended(front, "tunnel_idle")


async def test_a_proxy_that_ends_cuts_it_off_and_says_so(sink: OtlpSink) -> None:
    async with (
        talker(shout) as address,
        caller(sink, upstream("db", address, protocol="tcp")) as (front, listener),
        dial(listener) as (reader, writer),
    ):
        writer.write(b"a")
        assert await reader.readexactly(1) == b"A"
        assert not await front.drain(0.1)
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), 10) == b""
        (span,) = await sink.wait(1)
        assert span.attributes["mesh.reason"] == "draining"
        assert span.attributes["mesh.sent_bytes"] == 1


async def test_another_endpoint_is_tried_and_each_attempt_is_a_span(sink: OtlpSink) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    async with caller(sink, upstream("db", nobody, protocol="tcp")) as (front, listener):
        async with dial(listener) as (reader, _):
            with contextlib.suppress(ConnectionResetError):
                assert await asyncio.wait_for(reader.read(), 5) == b""
        (span,) = await sink.wait(1)
        assert span.attributes["mesh.reason"] == "connect_refused"
        async with talker(shout) as address:
            await front.change(services=(upstream("db", nobody, nobody, address, protocol="tcp"),))
            for _ in range(8):
                async with dial(listener) as (reader, writer):
                    writer.write(b"a")
                    assert await reader.readexactly(1) == b"A"


@pytest.mark.parametrize("host", ["anything.at.all", "db"])
async def test_a_listener_means_its_service_whatever_the_host(sink: OtlpSink, host: str) -> None:
    async with app(echo) as address, caller(sink, upstream("shop", address)) as (_, listener):
        async with dial(listener) as (reader, writer):
            writer.write(f"GET /a HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n".encode())
            assert (await head(reader)).startswith("HTTP/1.1 200")
        (span,) = await sink.wait(1)
        assert span.attributes["mesh.destination.service"] == "shop"
        assert "mesh.protocol" not in span.attributes


async def test_a_service_that_speaks_no_http_gets_no_request(sink: OtlpSink) -> None:
    async with (
        talker(shout) as address,
        caller(sink, upstream("db", address, protocol="tcp")) as (front, _),
        dial(front.proxy) as (reader, writer),
    ):
        writer.write(b"GET http://db/ HTTP/1.1\r\nhost: db\r\n\r\n")
        answer = await head(reader)
        assert answer.startswith("HTTP/1.1 502")
        assert "mesh-reason: not_http" in answer


# === what a connection speaks


async def test_the_protocol_of_an_undeclared_service_is_found_out(sink: OtlpSink) -> None:
    async with (
        app(echo) as address,
        sidecar("any", app=address, inbound={"protocol": "detect"}, telemetry=sink.url) as back,
        caller(sink, upstream("any", back.endpoint, protocol="detect")) as (front, listener),
    ):
        async with dial(listener) as (reader, writer):
            writer.write(b"GET /a HTTP/1.1\r\nhost: x\r\n\r\n")
            assert (await head(reader)).startswith("HTTP/1.1 200")
        for span in await sink.wait(2):
            assert span.attributes["mesh.protocol"] == "http1"
            assert 0 <= span.attributes["mesh.detect_us"] < 5_000_000
        assert tunnels(front) == []


@pytest.mark.parametrize("protocol", ["detect", "tcp"])
async def test_a_server_that_speaks_first_is_heard_without_waiting(sink: OtlpSink, protocol: str) -> None:
    patience = {"detect_timeout_ms": 60_000}
    async with (
        talker(greet) as address,
        sidecar("mail", app=address, inbound={"protocol": protocol}, telemetry=sink.url, **patience) as back,
        caller(sink, upstream("mail", back.endpoint, protocol=protocol), **patience) as (front, listener),
    ):
        async with dial(listener) as (reader, writer):
            assert await asyncio.wait_for(reader.readline(), 30) == b"220 ready\r\n"
            writer.write(b"quit")
            assert await reader.readexactly(4) == b"QUIT"
        assert (await ended(front))["opened"] == 1
        for span in await sink.wait(2):
            assert span.attributes["mesh.protocol"] == "tcp"
            assert ("mesh.detect_us" in span.attributes) == (protocol == "detect")
            assert (span.attributes["mesh.sent_bytes"], span.attributes["mesh.received_bytes"]) == (4, 15)


async def test_where_both_are_silent_it_is_carried_after_the_timeout(sink: OtlpSink) -> None:
    connected = asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        await shout(reader, writer)

    async with (
        talker(wait) as address,
        caller(sink, upstream("odd", address, protocol="detect"), detect_timeout_ms=100) as (front, listener),
        dial(listener) as (reader, writer),
    ):
        await asyncio.wait_for(connected.wait(), 10)
        await eventually(lambda: tunnels(front), "the tunnel to open")
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await reader.readexactly(4) == b"GET ", "too late to be taken for a request"
        assert tunnels(front)[0]["protocol"] == "tcp"


async def test_a_listener_comes_and_goes_while_the_proxy_serves(sink: OtlpSink) -> None:
    async with talker(shout) as address, caller(sink, upstream("db", address, protocol="tcp")) as (front, first):
        added = Listener(listen=f"127.0.0.1:{free_port()}", service="db")
        assert front.workload.outbound
        async with dial(first) as (reader, writer):
            await front.change(outbound=front.workload.outbound.model_copy(update={"listeners": (added,)}))
            writer.write(b"a")
            assert await reader.readexactly(1) == b"A", "what is open stays so"
            async with dial(added.listen) as (other, to_other):
                to_other.write(b"b")
                assert await other.readexactly(1) == b"B"
        await eventually(lambda: not listens(first), "the listener that is gone to close")


# === TLS passed through


def client_hello(name: str | None) -> bytes:
    """What a TLS client says first."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    sent = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname=name).do_handshake()
    return sent.read()


async def test_tls_goes_by_server_name_however_it_is_cut(sink: OtlpSink) -> None:
    async def length(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(str(len(await reader.readexactly(len(hello)))).encode())

    hello = client_hello("DB.example.com")
    async with talker(length) as address, talker(shout) as other:
        db = upstream("db", address, protocol="tls", server_names=("db.example.com",))
        async with (
            caller(sink, upstream("other", other), db, sni=True) as (_, listener),
            dial(listener) as (reader, writer),
        ):
            for place in range(0, len(hello), 100):
                writer.write(hello[place : place + 100])
                await writer.drain()
                await asyncio.sleep(0)  # each piece on its way before the next
            assert await asyncio.wait_for(reader.read(), 5) == str(len(hello)).encode()
        (span,) = await sink.wait(1)
        assert span.name == "tls db"
        assert span.attributes["tls.client.server_name"] == "db.example.com"
        assert span.attributes["server.address"] == "db.example.com"


@pytest.mark.parametrize(
    ("asked", "service"),
    [("a.example.com", "exact"), ("b.example.com", "wide"), ("c.a.example.com", "wide"), ("c.b.example.com", "narrow")],
)
async def test_a_server_name_may_stand_for_all_that_end_like_it(sink: OtlpSink, asked: str, service: str) -> None:
    names = {"exact": "a.example.com", "wide": "*.example.com", "narrow": "*.b.example.com"}
    async with talker(shout) as address:
        calls = [upstream(name, address, protocol="tls", server_names=(names[name],)) for name in names]
        async with caller(sink, *calls, sni=True) as (front, listener), dial(listener) as (_, writer):
            writer.write(client_hello(asked))
            await eventually(lambda: tunnels(front), "the tunnel to open")
            assert tunnels(front)[0]["peer"] == service


@pytest.mark.parametrize("protocol", ["tls", "detect"])
async def test_tls_is_between_the_caller_and_the_application(sink: OtlpSink, tmp_path: Path, protocol: str) -> None:
    authority = Authority(tmp_path)
    theirs, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=authority.ca)
    theirs.load_cert_chain(*authority.issue("db"))
    async with (
        talker(shout, tls=theirs) as address,
        sidecar("db", app=address, inbound={"protocol": protocol}, telemetry=sink.url) as db,
        caller(sink, upstream("db", db.endpoint, protocol=protocol, server_names=("localhost",)), sni=True) as (
            _,
            listener,
        ),
    ):
        host, _, port = listener.rpartition(":")
        reader, writer = await asyncio.open_connection(host, port, ssl=ours, server_hostname="localhost")
        writer.write(b"select 1")
        assert await reader.readexactly(8) == b"SELECT 1"
        writer.close()
        await writer.wait_closed()
        for span in await sink.wait(2):
            assert span.attributes["tls.client.server_name"] == "localhost"
            assert span.attributes["mesh.protocol"] == "tls"
            assert span.attributes["mesh.received_bytes"] > 500, "the certificate of the application"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (client_hello("nobody.example.com"), "unknown_server_name"),
        (client_hello(None), "no_server_name"),
        (b"EHLO mail.example\r\n", "no_server_name"),
    ],
)
async def test_tls_that_names_no_service_goes_nowhere(sink: OtlpSink, said: bytes, reason: str) -> None:
    async with talker(shout) as address:
        db = upstream("db", address, protocol="tls", server_names=("db.example.com",))
        async with caller(sink, db, sni=True) as (front, listener):
            async with dial(listener) as (reader, writer):
                writer.write(said)
                with contextlib.suppress(ConnectionResetError):
                    assert await asyncio.wait_for(reader.read(), 5) == b""
            await ended(front, reason)
        (span,) = await sink.wait(1)
        assert span.attributes["mesh.reason"] == reason
        assert span.error
