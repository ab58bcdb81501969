"""Floods of HTTP/2 frames: the connection ends with ENHANCE_YOUR_CALM, memory stays where it was, others are served."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.proxy.engine.conftest import Pair
from tests.world.frames import (
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    Http2,
    Kind,
    ask,
    block,
    data,
    frame,
    headers,
    http2,
    ping,
    reset,
    settings,
    window_update,
)
from tests.world.otlp_sink import eventually

FRAMES = 20_000
"""More than any limit allows for, little enough for a test."""
GROWTH_BYTES = 24 << 20
"""What one flood may add to the whole process, the sending side and the test's own included."""


def rapid_reset(n: int) -> bytes:
    """CVE-2023-44487: a request, taken back at once."""
    return headers(2 * n + 1, ask()) + reset(2 * n + 1)


def empty_data(n: int) -> bytes:
    return (headers(1, ask(method="POST"), end=False) if n == 0 else b"") + data(1, end=False)


def continuation(n: int) -> bytes:
    """A header block that never ends."""
    if n == 0:
        return frame(Kind.HEADERS, 0, 1, ask())
    return frame(Kind.CONTINUATION, 0, 1, block([("x", "y")]))


def empty_continuation(n: int) -> bytes:
    return frame(Kind.HEADERS, 0, 1, ask()) if n == 0 else frame(Kind.CONTINUATION, 0, 1)


def padded(n: int) -> bytes:
    """DATA that is padding and nothing else: flow control pays for it, the request does not advance."""
    return (headers(1, ask(method="POST"), end=False) if n == 0 else b"") + frame(Kind.DATA, 0x8, 1, b"\x00")


FLOODS: dict[str, Callable[[int], bytes]] = {
    "rapid reset": rapid_reset,
    "continuation": continuation,
    "empty continuation": empty_continuation,
    "settings": lambda n: settings(INITIAL_WINDOW_SIZE=1_000 + n),
    "empty settings": lambda n: settings(),
    "ping": lambda n: ping(),
    "empty data": empty_data,
    "padding": padded,
    "window updates": lambda n: window_update(0, 1),
    "priorities": lambda n: frame(Kind.PRIORITY, 0, 2 * n + 1, b"\0\0\0\0\x10"),
    "unknown frames": lambda n: frame(0xBE, 0, 0, b"?"),
    "ping answers": lambda n: frame(Kind.PING, 1, 0, b"whymesh!"),
}


@contextlib.contextmanager
def little_memory() -> Iterator[None]:
    """Fails when the process, engines and all, grew beyond GROWTH_BYTES at any moment within."""
    Path("/proc/self/clear_refs").write_text("5")
    before = _peak()
    yield
    assert _peak() - before < GROWTH_BYTES


def _peak() -> int:
    """Largest resident set since it was cleared (proc_pid_status(5))."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) << 10


async def pour(connection: Http2, flood: Callable[[int], bytes]) -> None:
    """Sends until all is sent or the other side has closed."""
    for start in range(0, FRAMES, 500):
        if connection.reader.at_eof():
            return
        await connection.say(*(flood(n) for n in range(start, start + 500)))


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS.keys())
async def test_a_flood_ends_its_connection_and_no_other(pair: Pair, flood: Callable[[int], bytes]) -> None:
    async with http2(pair.front.proxy) as neighbour, http2(pair.front.proxy) as connection:
        await neighbour.say(headers(1, ask()))
        await neighbour.hear([1])
        with little_memory():
            pouring = asyncio.create_task(pour(connection, flood))
            heard = await connection.hear(end=True)
            await pouring
        assert heard.went_away == ENHANCE_YOUR_CALM
        await eventually(lambda: pair.front.stats()["refused"]["frame_flood"] == 1, "the flood to be counted, once")
        await neighbour.say(headers(3, ask()))
        assert (await neighbour.hear([3])).statuses[3] == "200"


async def test_a_header_list_without_end_is_bounded(pair: Pair) -> None:
    huge = block([("x", "y" * 16_000)])
    async with http2(pair.front.proxy) as connection:
        with little_memory():
            await connection.say(frame(Kind.HEADERS, END_STREAM, 1, ask()))
            for last in [False] * 40 + [True]:
                await connection.say(frame(Kind.CONTINUATION, END_HEADERS if last else 0, 1, huge))
            heard = await connection.hear([1])
    assert heard.statuses.get(1) == "431" or heard.went_away == ENHANCE_YOUR_CALM
    assert pair.back.stats()["requests"] == []


async def test_a_header_block_that_unfolds_is_bounded(pair: Pair) -> None:
    """One entry of the table, named again and again: few bytes on the wire, many in memory."""
    name = b"\x40\x01x" + _length(4_000) + b"y" * 4_000
    async with http2(pair.front.proxy) as connection:
        with little_memory():
            await connection.say(headers(1, ask() + name + b"\xbe" * 12_000))
            heard = await connection.hear([1])
    assert heard.statuses.get(1) == "431" or heard.went_away == ENHANCE_YOUR_CALM
    assert pair.back.stats()["requests"] == []


def _length(size: int) -> bytes:
    rest, encoded = size - 127, b"\x7f"
    while rest >= 128:
        encoded += bytes((rest % 128 + 128,))
        rest //= 128
    return encoded + bytes((rest,))


async def test_pings_and_resets_of_an_honest_client_pass(pair: Pair) -> None:
    """Twice the burst in frames that carry nothing, but each beside one that does."""
    await pair.front.apply(limits=pair.front.snapshot.limits.model_copy(update={"control_frames": 100}))
    async with http2(pair.front.proxy) as connection:
        for stream in range(1, 401, 2):
            await connection.say(headers(stream, ask()), ping())
            await connection.hear([stream])
        assert connection.heard.went_away is None
        assert len(connection.heard.statuses) == 200


BROKEN: dict[str, list[bytes]] = {
    "a frame that is too large": [frame(Kind.DATA, 0, 1, b"x" * 20_000)],
    "data of an idle stream": [data(5, b"x")],
    "an acknowledgement of nothing": [frame(Kind.SETTINGS, 1), frame(Kind.SETTINGS, 1)],
    "an even stream": [headers(2, ask())],
    "a stream of a lower number": [headers(5, ask()), headers(3, ask())],
    "a window beyond its bound": [window_update(0, (1 << 31) - 1)],
    "a window update of nothing": [window_update(0, 0)],
    "settings of odd length": [frame(Kind.SETTINGS, 0, 0, b"12345")],
    "settings of a stream": [frame(Kind.SETTINGS, 0, 1)],
    "a ping of odd length": [frame(Kind.PING, 0, 0, b"123")],
    "a promise": [frame(Kind.PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2" + ask())],
    "a continuation of nothing": [frame(Kind.CONTINUATION, END_HEADERS, 1, ask())],
    "something between the parts of a block": [frame(Kind.HEADERS, 0, 1, ask()), ping()],
    "an index that does not exist": [headers(1, b"\xff\xff\x7f")],
    "a string without end": [headers(1, b"\x00\x7f\xff\xff\xff\xff\xff\x7f")],
}


@pytest.mark.parametrize("frames", BROKEN.values(), ids=BROKEN.keys())
async def test_broken_framing_ends_the_connection(pair: Pair, frames: list[bytes]) -> None:
    async with http2(pair.front.proxy) as connection:
        await connection.say(*frames)
        heard = await connection.hear(end=True)
    assert heard.went_away, "and says why"
    async with pair.call() as response:
        assert response.status == 200
