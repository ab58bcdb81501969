"""Callers that stall at the control plane's door: in TLS, in a head, in a body, or after an answer."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web

from proxy.control.api.entrance import Bounds
from proxy.control.authority.authority import Authority
from proxy.control.authority.ledger import Ledger
from proxy.control.authority.own_door import OwnDoor
from proxy.control.authority.terms import Terms
from proxy.control.listening import listening
from tests.world.processes import free_port

STALLED = {
    "nothing": b"",
    "half a head": b"GET /slow HTTP/1.1\r\nHost: x\r\n",
    "half a body": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{",
    "a body nobody reads": b"GET /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n",
    "nothing after an answer": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
}
HASTY = Bounds(handshake_s=0.2, head_s=0.2, body_s=0.2)
TIGHT = Bounds(of_one=8, of_all=8)
ENOUGH_S = 30.0


async def _answer(request: web.Request) -> web.Response:
    return web.Response(text=f"{len(await request.read())} bytes\n")


async def _stream(request: web.Request) -> web.StreamResponse:
    """What a proxy follows: a line for each it is sent for, for as long as it is read."""
    response = web.StreamResponse()
    await response.prepare(request)
    with contextlib.suppress(ConnectionResetError):
        while True:
            await response.write(b"epoch\n")
            await asyncio.sleep(0.02)
    return response


@contextlib.asynccontextmanager
async def serving(bounds: Bounds, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A port that is open while the block runs, over TLS where there is a context."""
    app, port = web.Application(), free_port()
    app.add_routes([web.route("*", "/", _answer), web.get("/stream", _stream)])
    where = f"127.0.0.1:{port}"
    runner = await listening(app, "" if tls else where, (where, tls) if tls else None, bounds)
    try:
        yield port
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def connected(port: int, sends: bytes = b"") -> AsyncIterator[asyncio.StreamReader]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sends)
    try:
        yield reader
    finally:
        writer.transport.abort()


async def ended(reader: asyncio.StreamReader) -> None:
    """Returns when the other side has closed, whatever it said before."""
    async with asyncio.timeout(ENOUGH_S):
        with contextlib.suppress(ConnectionResetError):
            await reader.read()


async def asked(port: int) -> bytes:
    """The status line of an answer."""
    async with asyncio.timeout(ENOUGH_S), connected(port, b"GET / HTTP/1.0\r\n\r\n") as reader:
        return await reader.readline()


@pytest.mark.parametrize("sends", STALLED.values(), ids=STALLED.keys())
async def test_who_stalls_is_parted_with(sends: bytes) -> None:
    async with serving(HASTY) as port, connected(port, sends) as reader:
        await ended(reader)


async def test_tls_that_is_not_agreed_ends(tmp_path: Path) -> None:
    async with serving(HASTY, _context(tmp_path)) as port:
        for begun in (b"", b"\x16\x03\x01\x02\x00", b"GET / HTTP/1.1\r\n\r\n"):
            async with connected(port, begun) as reader:
                await ended(reader)


async def test_a_crowd_that_stalls_keeps_nobody_from_asking_or_following() -> None:
    async with serving(TIGHT) as port, connected(port, b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n") as follower:
        await follower.readuntil(b"epoch")
        async with contextlib.AsyncExitStack() as crowd:
            stalled = [
                await crowd.enter_async_context(connected(port, sends)) for sends in list(STALLED.values())[:2] * 20
            ]
            assert (await asked(port)).split()[1] == b"200"
            await asyncio.gather(*(ended(reader) for reader in stalled[: -2 * TIGHT.of_one]))
            await follower.readuntil(b"epoch")
            assert (await asked(port)).split()[1] == b"200"


async def test_a_crowd_before_tls_keeps_nobody_out(tmp_path: Path) -> None:
    context = _context(tmp_path)
    known = ssl.create_default_context(cafile=tmp_path / "roots.pem")
    async with serving(TIGHT, context) as port, contextlib.AsyncExitStack() as crowd:
        for _ in range(40):
            await crowd.enter_async_context(connected(port))
        async with asyncio.timeout(ENOUGH_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=known)
            writer.write(b"GET / HTTP/1.0\r\n\r\n")
            assert (await reader.readline()).split()[1] == b"200"
            writer.close()


async def test_a_long_body_that_comes_is_taken() -> None:
    body = b"x" * 500_000
    head = f"POST / HTTP/1.0\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    async with serving(Bounds()) as port, connected(port, head + body) as reader:
        assert (await reader.read()).endswith(b"500000 bytes\n")


async def test_heads_are_bounded() -> None:
    long = b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000
    many = b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 500 + b"\r\n"
    async with serving(Bounds()) as port:
        for sends in (long, many):
            async with connected(port, sends) as reader:
                assert (await reader.readline()).split()[1] == b"400"


def _context(folder: Path) -> ssl.SSLContext:
    """That of a control plane with an authority; its roots are in `roots.pem`."""
    now, door = datetime.now(UTC), OwnDoor(["127.0.0.1"])
    terms = Terms(leaf=timedelta(hours=1), issuer=timedelta(days=1), root=timedelta(days=2))
    with contextlib.closing(Ledger(folder, "mesh.local")) as ledger:
        door.tend(Authority(ledger, "mesh.local", terms, now), folder, now)
    return door.context
