"""Each code of the catalogue, caused for real: the answer explains itself and the spans carry the reason."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest

from proxy._engine import REASONS
from proxy.snapshot import Endpoint, Upstream
from tests.proxy.engine.conftest import Pair
from tests.world.apps import dial, head, talker
from tests.world.engines import Sidecar, sidecar, upstream
from tests.world.otlp_sink import OtlpSink, eventually
from tests.world.processes import free_port

CAUSED = {
    "unknown_service": 502,
    "no_endpoints": 503,
    "connect_refused": 503,
    "connect_timeout": 504,
    "connect_failed": 503,
    "upstream_timeout": 504,
    "upstream_reset": 502,
    "request_loop": 508,
    "app_connect_refused": 503,
    "app_connect_timeout": 504,
    "app_connect_failed": 503,
    "app_timeout": 504,
    "app_reset": 502,
}
"""What a single call can cause, and its status; the rest have tests of their own below."""

IN_TEST_LIMITS = {
    "uri_too_long",
    "body_too_large",
    "request_timeout",
    "request_stalled",
    "request_limit",
    "client_connection_limit",
    "frame_flood",
    "reader_stalled",
    "upstream_stalled",
    "app_stalled",
    "tunnel_idle",
}
IN_TEST_ROUTES = {"no_backends", "no_route", "route_answer", "route_timeout"}
IN_TEST_GATEWAY = {"unknown_host"}
IN_TEST_HEALTH = {"breaker_open"}
IN_TEST_FAULTS = {"fault_abort", "fault_delay"}
IN_TEST_DEADLINES = {"deadline_exceeded"}
IN_TEST_GATE = {"rate_limited", "concurrency_limit", "overloaded"}
IN_TEST_AUTHORIZATION = {"policy_denied", "not_allowed"}
IN_TEST_TOKENS = {code for code in REASONS if code.startswith("token_")}
IN_TEST_TUNNELS = {"not_http", "no_server_name", "unknown_server_name"}
IN_TEST_INTERCEPT = {"outside_denied"}
IN_TEST_HEDGE = {"hedge_lost"}
IN_TEST_TLS = {
    "plaintext_refused",
    "tls_bad_certificate",
    "tls_denied",
    "tls_expired",
    "tls_handshake_failed",
    "tls_no_certificate",
    "tls_no_identity",
    "tls_not_yet_valid",
    "tls_refused",
    "tls_two_names",
    "tls_unknown_authority",
    "tls_wrong_peer",
    "tls_wrong_trust_domain",
}
IN_TEST_HOSTILE_ANSWERS = {"bad_response", "app_bad_response"}
IN_RUST = {"internal_error"}
"""No input is known to cause it; caught.rs tests what happens then."""


def test_every_code_has_a_test() -> None:
    others = {
        "bad_request",
        "headers_too_large",
        "connect_not_allowed",
        "connection_limit",
        "draining",
        "client_cancelled",
        *IN_TEST_LIMITS,
        *IN_TEST_ROUTES,
        *IN_TEST_GATEWAY,
        *IN_TEST_HEALTH,
        *IN_TEST_FAULTS,
        *IN_TEST_DEADLINES,
        *IN_TEST_GATE,
        *IN_TEST_AUTHORIZATION,
        *IN_TEST_TOKENS,
        *IN_TEST_TUNNELS,
        *IN_TEST_INTERCEPT,
        *IN_TEST_HEDGE,
        *IN_TEST_TLS,
        *IN_TEST_HOSTILE_ANSWERS,
        *IN_RUST,
    }
    assert set(CAUSED) | others == set(REASONS)


async def _hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def _reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await head(reader)


@contextlib.asynccontextmanager
async def full_backlog() -> AsyncIterator[str]:
    """An address that completes no further connection: its queue of unaccepted ones is full."""
    with contextlib.ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        for _ in range(4):
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
        yield f"127.0.0.1:{address[1]}"


def nobody() -> str:
    return f"127.0.0.1:{free_port()}"


@contextlib.asynccontextmanager
async def trouble(code: str, sink: OtlpSink) -> AsyncIterator[Sidecar]:
    """The proxy of a caller for whom `http://back/` ends with this code."""
    async with contextlib.AsyncExitStack() as world:
        cause = code.removeprefix("app_")
        if cause.endswith("timeout") and "connect" not in cause:
            address = await world.enter_async_context(talker(_hang))
        elif cause.endswith("reset"):
            address = await world.enter_async_context(talker(_reset))
        elif cause == "connect_timeout":
            address = await world.enter_async_context(full_backlog())
        elif cause == "connect_failed":
            address = "no-such-host.invalid:80"
        else:
            address = nobody()
        target: Endpoint | str = address
        patient = {"timeout_ms": 15_000, "connect_timeout_ms": 5_000}
        hasty = {"timeout_ms": 100, "connect_timeout_ms": 100}
        if code.startswith("app_"):
            bounds = hasty if "timeout" in code else patient
            back = await world.enter_async_context(sidecar("back", app=address, inbound=bounds, telemetry=sink.url))
            target, bounds = back.endpoint, patient
        else:
            bounds = hasty if "timeout" in code else patient
        calls: tuple[Upstream, ...] = (upstream("back", target, **bounds),)
        if code == "no_endpoints":
            calls = (upstream("back"),)
        elif code == "unknown_service":
            calls = (upstream("other"),)
        front = await world.enter_async_context(sidecar("front", calls=calls, telemetry=sink.url))
        if code == "request_loop":
            looped = upstream("back", front.proxy.removeprefix("http://"))
            await front.change(services=(looped,))
        yield front


@pytest.mark.parametrize(("code", "status"), CAUSED.items())
async def test_an_answer_of_the_mesh_explains_itself(
    sink: OtlpSink, session: aiohttp.ClientSession, code: str, status: int
) -> None:
    async with trouble(code, sink) as front:
        async with session.post("http://back/x", data="1", proxy=front.proxy) as response:
            text = await response.text()
        assert (response.status, response.headers["mesh-reason"]) == (status, code), text
        assert response.headers["content-type"].startswith("text/plain")
        assert text.count(". ") >= 1
        assert text.endswith(".\n")
        client = (await sink.wait(2 if code == "request_loop" else 1, "front"))[-1]
        assert client["mesh.reason"] == code
        assert client.error
        if code.startswith("app_") or code == "request_loop":
            # Another proxy answered this, so the caller did get a response.
            assert client["error.type"] == str(status)
        else:
            assert client["error.type"] == code
            assert "http.response.status_code" not in client.attributes
        if code.startswith("app_"):
            (server,) = await sink.wait(1, "back")
            assert (server["mesh.reason"], server["http.response.status_code"]) == (code, status)
            assert server.error
        assert front.counted(direction="outbound", status="5xx", reason=code) >= 1


async def test_a_response_that_breaks_off_is_a_reset_on_both_sides(
    sink: OtlpSink, session: aiohttp.ClientSession
) -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
        await writer.drain()

    async with (
        talker(half) as address,
        sidecar("back", app=address, telemetry=sink.url) as back,
        sidecar("front", calls=(upstream("back", back.endpoint),), telemetry=sink.url) as front,
    ):
        async with session.get("http://back/", proxy=front.proxy) as response:
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()
        (client,) = await sink.wait(1, "front")
        (server,) = await sink.wait(1, "back")
    assert (client["mesh.reason"], server["mesh.reason"]) == ("upstream_reset", "app_reset")
    assert client.error
    assert server.error


async def test_a_caller_that_leaves_is_no_error(sink: OtlpSink) -> None:
    arrived = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        arrived.set()
        await reader.read()

    async with (
        talker(hang) as address,
        sidecar("back", app=address, telemetry=sink.url) as back,
        sidecar("front", calls=(upstream("back", back.endpoint),), telemetry=sink.url) as front,
    ):
        async with dial(front.proxy) as (_, writer):
            writer.write(b"GET http://back/ HTTP/1.1\r\nhost: back\r\n\r\n")
            await asyncio.wait_for(arrived.wait(), 5)
        (client,) = await sink.wait(1, "front")
        (server,) = await sink.wait(1, "back")
        assert client["mesh.reason"] == server["mesh.reason"] == "client_cancelled"
        assert not client.error
        assert not server.error
        assert front.counted(status="none", reason="client_cancelled") == 1


async def test_connect_is_refused(pair: Pair) -> None:
    async with dial(pair.front.proxy) as (reader, writer):
        writer.write(b"CONNECT back:443 HTTP/1.1\r\nhost: back:443\r\n\r\n")
        answer = await asyncio.wait_for(head(reader), 5)
    assert answer.startswith("HTTP/1.1 405")
    assert "mesh-reason: connect_not_allowed" in answer
    (client,) = await pair.sink.wait(1, "front")
    assert client["mesh.reason"] == "connect_not_allowed"


async def test_headers_beyond_the_limit_are_refused() -> None:
    async with sidecar("front", calls=(), header_bytes=8_192) as front, dial(front.proxy) as (reader, writer):
        writer.write(b"GET http://back/ HTTP/1.1\r\nhost: back\r\ncookie: " + b"x" * 20_000 + b"\r\n\r\n")
        assert (await asyncio.wait_for(head(reader), 5)).startswith("HTTP/1.1 431")
        await eventually(lambda: front.stats()["refused"]["headers_too_large"] == 1, "the refusal to be counted")


async def test_a_connection_too_many_is_told_so() -> None:
    async with sidecar("front", calls=(), connections=2) as front:
        async with dial(front.proxy), dial(front.proxy):
            await eventually(lambda: front.stats()["connections"]["outbound"] == 2, "two connections")
            async with dial(front.proxy) as (reader, _):
                answer = await asyncio.wait_for(head(reader), 5)
        assert answer.startswith("HTTP/1.1 503")
        assert "mesh-reason: connection_limit" in answer
        assert front.stats()["refused"]["connection_limit"] == 1


async def test_what_a_stopping_proxy_cuts_off_says_so(sink: OtlpSink) -> None:
    arrived = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        arrived.set()
        await reader.read()

    async with (
        talker(hang) as address,
        sidecar("front", calls=(upstream("back", address),), telemetry=sink.url) as front,
        dial(front.proxy) as (reader, writer),
    ):
        writer.write(b"GET http://back/ HTTP/1.1\r\nhost: back\r\n\r\n")
        await asyncio.wait_for(arrived.wait(), 5)
        assert not await front.drain(0.05)
        assert await reader.read() == b""
        (client,) = await sink.wait(1, "front")
    assert client["mesh.reason"] == "draining"
    assert client.error


async def test_an_application_cannot_speak_for_the_mesh(sink: OtlpSink, session: aiohttp.ClientSession) -> None:
    async def lie(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 503 No\r\nmesh-reason: connect_refused\r\ncontent-length: 0\r\n\r\n")
        await reader.read()

    async with (
        talker(lie) as address,
        sidecar("back", app=address, telemetry=sink.url) as back,
        sidecar("front", calls=(upstream("back", back.endpoint),), telemetry=sink.url) as front,
    ):
        async with session.get("http://back/", proxy=front.proxy) as response:
            assert "mesh-reason" not in response.headers
        (client,) = await sink.wait(1, "front")
    assert "mesh.reason" not in client.attributes
