"""Links over real sockets: bytes arrive whole, in order, and as late as ordered."""

from __future__ import annotations

import asyncio
import os
import time

import pytest

from deploy.demo.wire import Link
from tests.world.processes import free_port


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


@pytest.fixture
async def link():
    """A link to an echo server, and the port it listens on."""
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = free_port()
    link = Link(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
    await link.listen(f"127.0.0.1:{port}")
    yield link, port
    await link.close()
    server.close()
    await server.wait_closed()


async def through(port: int, payload: bytes) -> tuple[bytes, float]:
    """Sends, closes its side, reads to the end; with the seconds it took."""
    began = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sending = asyncio.create_task(send(writer, payload))
    received = await reader.read(-1)
    await sending
    writer.close()
    await writer.wait_closed()
    return received, time.monotonic() - began


async def send(writer: asyncio.StreamWriter, payload: bytes) -> None:
    writer.write(payload)
    await writer.drain()
    writer.write_eof()


@pytest.mark.parametrize("milliseconds", [0.0, 60.0])
async def test_bytes_arrive_whole_and_in_order(link: tuple[Link, int], milliseconds: float) -> None:
    wire, port = link
    payload = os.urandom(1 << 20)
    wire.delay.milliseconds = milliseconds
    received, _ = await through(port, payload)
    assert received == payload


async def test_a_round_trip_takes_as_long_as_ordered(link: tuple[Link, int]) -> None:
    wire, port = link
    wire.delay.milliseconds = 200.0
    _, slow = await through(port, b"ping")
    wire.delay.milliseconds = 0.0
    _, quick = await through(port, b"ping")
    assert 0.2 <= slow < 2.0
    assert quick < 0.2


async def test_a_delay_changes_for_connections_that_are_open(link: tuple[Link, int]) -> None:
    wire, port = link
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    wire.delay.milliseconds = 200.0
    began = time.monotonic()
    writer.write(b"ping")
    assert await reader.readexactly(4) == b"ping"
    assert time.monotonic() - began >= 0.2
    writer.close()
    await writer.wait_closed()


async def test_nobody_behind_the_link_is_a_connection_that_ends() -> None:
    port = free_port()
    link = Link(f"127.0.0.1:{free_port()}")
    await link.listen(f"127.0.0.1:{port}")
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with pytest.raises(asyncio.IncompleteReadError):
        await reader.readexactly(1)
    writer.close()
    await link.close()
