"""Answers with more than one meaning: the caller gets one sound answer, and never another one's as its next."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import NamedTuple

import h11
import pytest

from tests.world.apps import dial, head, talker
from tests.world.engines import Sidecar, sidecar, upstream

EVIL = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"
"""What must never be taken for an answer of its own."""


def answer(*lines: bytes, body: bytes = b"hello", status: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return b"\r\n".join((status, *lines, b"", body))


CHUNKED = b"transfer-encoding: chunked"
CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"
UNSOUND = {
    "a length of letters": answer(b"content-length: five"),
    "a length with a sign": answer(b"content-length: +5"),
    "two lengths": answer(b"content-length: 5", b"content-length: 4"),
    "two lengths in a list": answer(b"content-length: 5, 4"),
    "a length that is too large": answer(b"content-length: 99999999999999999999"),
    "no status": answer(b"content-length: 5", status=b"HTTP/1.1"),
    "a status of letters": answer(b"content-length: 5", status=b"HTTP/1.1 abc OK"),
    "a status of two digits": answer(b"content-length: 5", status=b"HTTP/1.1 20 OK"),
    "a status of four digits": answer(b"content-length: 5", status=b"HTTP/1.1 2000 OK"),
    "a version of nobody": answer(b"content-length: 5", status=b"HTTP/3.7 200 OK"),
    "no version": answer(b"content-length: 5", status=b"200 OK"),
    "a request": b"GET /evil HTTP/1.1\r\nhost: back\r\n\r\n",
    "a name with a blank": answer(b"a b: c", b"content-length: 5"),
    "a blank before the colon": answer(b"content-length : 5"),
    "a name with a NUL": answer(b"a\0b: c", b"content-length: 5"),
    "a value with a NUL": answer(b"a: b\0c", b"content-length: 5"),
    "a value with a bare CR": answer(b"a: b\rc", b"content-length: 5"),
    "a line without a colon": answer(b"header", b"content-length: 5"),
    "too many headers": answer(*(b"a%d: b" % n for n in range(200)), b"content-length: 5"),
    "a header that is too large": answer(b"a: " + b"b" * 500_000, b"content-length: 5"),
    "noise": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "a length and an encoding": answer(b"content-length: 4", CHUNKED, body=CHUNKS),
    "an encoding and a length": answer(CHUNKED, b"content-length: 400", body=CHUNKS),
    "one length twice": answer(b"content-length: 5", b"content-length: 5"),
    "an encoding twice": answer(CHUNKED, CHUNKED, body=CHUNKS),
    "an encoding nobody knows": answer(b"transfer-encoding: x", body=b"hello"),
    "an encoding that is not last": answer(b"transfer-encoding: chunked, x", body=CHUNKS),
    "an encoding in HTTP/1.0": answer(CHUNKED, status=b"HTTP/1.0 200 OK", body=CHUNKS),
    "a folded line": answer(b"a: b\r\n c", b"content-length: 5"),
}
"""None of it is passed on."""
BREAKING = {
    "a chunk without size": answer(CHUNKED, body=b"\r\nhello\r\n0\r\n\r\n"),
    "a chunk of letters": answer(CHUNKED, body=b"xyz\r\nhello\r\n0\r\n\r\n"),
    "a chunk with a sign": answer(CHUNKED, body=b"+5\r\nhello\r\n0\r\n\r\n"),
    "a chunk that is too large": answer(CHUNKED, body=b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
    "a chunk longer than it says": answer(CHUNKED, body=b"4\r\nhello\r\n0\r\n\r\n"),
    "a chunk shorter than it says": answer(CHUNKED, body=b"6\r\nhello\r\n0\r\n\r\n"),
    "chunks without end": answer(CHUNKED, body=b"5\r\nhello\r\n"),
}
"""Begun, and never whole."""
SOUND = {
    "lines that end in LF": answer(b"content-length: 5").replace(b"\r\n", b"\n"),
    "chunks with extensions": answer(CHUNKED, body=b"5;a=b\r\nhello\r\n0\r\n\r\n"),
    "trailers of framing": answer(CHUNKED, body=b"5\r\nhello\r\n0\r\ncontent-length: 50\r\n\r\n"),
    "many interim answers": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 50 + answer(b"content-length: 5"),
    "a body of no content": answer(b"content-length: 5", status=b"HTTP/1.1 204 No Content"),
    "chunks of no content": answer(CHUNKED, body=CHUNKS, status=b"HTTP/1.1 204 No Content"),
    "a body that is not modified": answer(b"content-length: 5", status=b"HTTP/1.1 304 Not Modified"),
    "more than its length": answer(b"content-length: 5"),
    "a body of nothing": answer(b"content-length: 0"),
}
"""Odd, and yet with one meaning."""


@contextlib.asynccontextmanager
async def telling(said: bytes, side: str) -> AsyncIterator[Sidecar]:
    """A proxy whose callee answers the first request with these bytes and more, and later ones as it should."""
    first = True

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal first
        while await head(reader):
            writer.write(said + EVIL if first else answer(b"content-length: 4", body=b"good"))
            first = False
            await writer.drain()

    async with talker(talk) as back:
        calls = (upstream("back", back),) if side == "outbound" else None
        async with sidecar("back", app=None if calls else back, calls=calls) as engine:
            yield engine


class Heard(NamedTuple):
    status: int
    reason: str
    body: bytes


async def ask(engine: Sidecar, side: str, method: str) -> list[Heard]:
    """Each whole answer to two requests on one connection, as h11 reads them."""
    async with dial(engine.proxy if side == "outbound" else engine.inbound) as (reader, writer):
        for target in ("/1", "/2"):
            writer.write(f"{method} {target} HTTP/1.1\r\nhost: back\r\n\r\n".encode())
        writer.write_eof()
        came = await asyncio.wait_for(reader.read(), 10)
    found = []
    while came:
        connection = h11.Connection(h11.CLIENT)
        connection.send(h11.Request(method=method, target="/", headers=[("host", "back")]))
        connection.send(h11.EndOfMessage())
        connection.receive_data(came)
        connection.receive_data(b"")
        status, reason, body = 0, "", b""
        try:
            while not isinstance(event := connection.next_event(), h11.EndOfMessage):
                if isinstance(event, h11.Response):
                    status, reason = event.status_code, dict(event.headers).get(b"mesh-reason", b"").decode()
                elif isinstance(event, h11.Data):
                    body += bytes(event.data)
        except h11.RemoteProtocolError:
            return found
        found.append(Heard(status, reason, body))
        came = bytes(connection.trailing_data[0])
    return found


@pytest.mark.parametrize("side", ["outbound", "inbound"])
@pytest.mark.parametrize("said", UNSOUND.values(), ids=UNSOUND.keys())
async def test_an_answer_without_a_single_meaning_goes_no_further(said: bytes, side: str) -> None:
    for method in ("GET", "HEAD"):
        async with telling(said, side) as engine:
            refused, next_one = await ask(engine, side, method)
        assert (refused.status, refused.reason) == (502, "bad_response" if side == "outbound" else "app_bad_response")
        assert next_one == Heard(200, "", b"good" if method == "GET" else b"")


@pytest.mark.parametrize("side", ["outbound", "inbound"])
@pytest.mark.parametrize("said", BREAKING.values(), ids=BREAKING.keys())
async def test_an_answer_that_breaks_is_never_whole(said: bytes, side: str) -> None:
    async with telling(said, side) as engine:
        assert await ask(engine, side, "GET") == []


@pytest.mark.parametrize("side", ["outbound", "inbound"])
@pytest.mark.parametrize("said", SOUND.values(), ids=SOUND.keys())
async def test_what_follows_an_answer_is_no_other_one(said: bytes, side: str) -> None:
    for method in ("GET", "HEAD"):
        async with telling(said, side) as engine:
            first, second = await ask(engine, side, method)
        assert first.status in (200, 204, 304)
        assert first.body in (b"", b"hello")
        assert second == Heard(200, "", b"good" if method == "GET" else b"")
