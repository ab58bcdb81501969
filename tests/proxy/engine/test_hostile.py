"""Bytes that no honest client sends: refused, counted, never forwarded, and nobody else notices."""

from __future__ import annotations

import asyncio
import contextlib
import os

import pytest

from tests.proxy.engine.conftest import Pair
from tests.world.apps import dial
from tests.world.otlp_sink import eventually

BODY = b"5\r\nhello\r\n0\r\n\r\n"
AMBIGUOUS = {
    "length and encoding": b"POST / HTTP/1.1\r\nhost: back\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n"
    + BODY,
    "encoding and length": b"POST / HTTP/1.1\r\nhost: back\r\ntransfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n"
    + BODY,
    "two lengths": b"POST / HTTP/1.1\r\nhost: back\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nhello",
    "the same length twice": b"POST / HTTP/1.1\r\nhost: back\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\nhello",
    "a list of lengths": b"POST / HTTP/1.1\r\nhost: back\r\ncontent-length: 5, 5\r\n\r\nhello",
    "a signed length": b"POST / HTTP/1.1\r\nhost: back\r\ncontent-length: +5\r\n\r\nhello",
    "an unknown encoding": b"POST / HTTP/1.1\r\nhost: back\r\ntransfer-encoding: gzip, chunked\r\n\r\n" + BODY,
    "an encoding twice": b"POST / HTTP/1.1\r\nhost: back\r\ntransfer-encoding: chunked\r\n"
    b"transfer-encoding: chunked\r\n\r\n" + BODY,
    "an encoding in HTTP/1.0": b"POST / HTTP/1.0\r\nhost: back\r\ntransfer-encoding: chunked\r\n\r\n" + BODY,
    "a tab in the encoding": b"POST / HTTP/1.1\r\nhost: back\r\ntransfer-encoding: \x0bchunked\r\n\r\n" + BODY,
    "two hosts": b"GET / HTTP/1.1\r\nhost: back\r\nhost: other\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "a host with a space": b"GET / HTTP/1.1\r\nhost: back other\r\n\r\n",
    "credentials in the URL": b"GET http://back@other/ HTTP/1.1\r\nhost: back\r\n\r\n",
    "space before the colon": b"GET / HTTP/1.1\r\nhost : back\r\n\r\n",
    "a folded line": b"GET / HTTP/1.1\r\nhost: back\r\nx-a: 1\r\n 2\r\n\r\n",
    "a bare CR": b"GET / HTTP/1.1\r\nhost: back\r\nx-a: 1\r2\r\n\r\n",
    "a NUL": b"GET / HTTP/1.1\r\nhost: back\r\nx-a: 1\x002\r\n\r\n",
    "spaces in the request line": b"GET  /  HTTP/1.1\r\nhost: back\r\n\r\n",
    "an unknown version": b"GET / HTTP/1.7\r\nhost: back\r\n\r\n",
    "garbage": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}


@pytest.mark.parametrize("side", ["front", "back"])
@pytest.mark.parametrize("bytes_", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
async def test_an_ambiguous_request_is_refused_and_not_forwarded(pair: Pair, side: str, bytes_: bytes) -> None:
    sidecar = pair.front if side == "front" else pair.back
    async with dial(sidecar.proxy if side == "front" else sidecar.inbound) as (reader, writer):
        writer.write(bytes_)
        answer = await asyncio.wait_for(reader.read(), 5)
    assert answer.split(b"\r\n")[0].split(b" ")[1] == b"400", answer
    assert answer.count(b"HTTP/1.") == 1, "the connection ended with the refusal"
    await eventually(lambda: sidecar.stats()["refused"]["bad_request"] == 1, "the refusal to be counted, once")
    if side == "front":
        assert pair.back.stats()["requests"] == []


async def test_a_bad_chunk_ends_the_request(pair: Pair) -> None:
    async with dial(pair.front.proxy) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nhost: back\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nxyz\r\n")
        answer = await asyncio.wait_for(reader.read(), 5)
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"mesh-reason: bad_request" in answer
    (client,) = await pair.sink.wait(1, "front")
    assert client["mesh.reason"] == "bad_request", "the callee is not to blame"
    assert pair.front.stats()["refused"]["bad_request"] == 1
    async with pair.call() as response:
        assert response.status == 200


async def test_a_request_hidden_in_a_body_stays_a_body(pair: Pair) -> None:
    hidden = AMBIGUOUS["length and encoding"]
    async with pair.call(method="POST", data=hidden) as response:
        assert (await response.json())["body"].encode() == hidden
    assert pair.back.counted(direction="inbound") == 1


async def test_noise_on_every_port_disturbs_nobody(pair: Pair) -> None:
    async def noise(address: str) -> None:
        async with dial(address) as (reader, writer):
            writer.write(os.urandom(2_000) + b"\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                await asyncio.wait_for(reader.read(), 5)

    async with pair.call() as response:
        await response.read()
    await asyncio.gather(*(noise(address) for address in [pair.front.proxy, pair.back.inbound] * 20))
    for sidecar in (pair.front, pair.back):
        await eventually(lambda at=sidecar: at.stats()["refused"]["bad_request"] == 20, "each to be counted")
    async with pair.call() as response:
        assert response.status == 200
    assert (await pair.sink.wait(2, "front"))[1].attributes.get("mesh.time.connect_us") is None, "a kept connection"


async def test_half_a_request_and_silence_is_let_go(pair: Pair) -> None:
    await pair.back.apply(limits=pair.back.snapshot.limits.model_copy(update={"idle_timeout_ms": 100}))
    async with dial(pair.back.inbound) as (reader, _):
        assert await asyncio.wait_for(reader.read(), 5) == b""
