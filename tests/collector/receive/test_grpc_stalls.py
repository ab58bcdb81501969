"""Senders over gRPC that never come to an end: each is counted, none keeps its place, and others go on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from collector.receive.tenants import Terms
from tests.collector.receive.test_otlp_grpc import EXPORT, details
from tests.collector.receiving import Receiving, receiving
from tests.world import frames
from tests.world import otlp_requests as world

HEAD = frames.ask("collector", EXPORT, "POST", ("content-type", "application/grpc"), ("te", "trailers"))
# A message of 1000 bytes, of which so many come.
PART = b"\x00" + (1000).to_bytes(4, "big") + b"\x0a"
DEADLINE_EXCEEDED, UNAVAILABLE, UNAUTHENTICATED = "4", "14", "16"


async def took(parts: Receiving) -> None:
    """Another sender's request is taken."""
    before = parts.rows
    async with grpc.aio.insecure_channel(parts.grpc) as channel:
        await TraceServiceStub(channel).Export(world.request(world.span()))
    assert parts.rows == before + 1


async def never() -> AsyncIterator[bytes]:
    await asyncio.Event().wait()
    yield b""


async def test_a_call_without_its_message_ends_in_time_and_is_counted() -> None:
    async with receiving(body_s=0.2) as parts, grpc.aio.insecure_channel(parts.grpc) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await channel.stream_unary(EXPORT)(never())
        assert ended.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert "the message was not there after 0.2 s" in details(ended.value).message
        assert parts.refused("traces", "too_slow") == 1


async def test_a_message_that_drips_ends_in_time_and_its_connection_goes_on() -> None:
    async with receiving(body_s=0.5) as parts, frames.http2(parts.grpc) as slow:
        await slow.say(frames.headers(1, HEAD, end=False), frames.data(1, PART, end=False))
        heard = asyncio.create_task(slow.hear([1], patience_s=30))
        while not heard.done():
            await slow.say(frames.data(1, b"\x00", end=False))
            await asyncio.wait({heard}, timeout=0.05)
        assert heard.result().answers[1]["grpc-status"] == DEADLINE_EXCEEDED
        assert parts.refused("traces", "too_slow") == 1
        whole = world.request(world.span()).SerializeToString()
        message = b"\x00" + len(whole).to_bytes(4, "big") + whole
        await slow.say(frames.headers(3, HEAD, end=False), frames.data(3, message))
        assert (await slow.hear([3])).answers[3]["grpc-status"] == "0"
        assert parts.rows == 1


async def test_calls_that_stall_hold_their_places_and_no_more() -> None:
    async with receiving(body_s=3, grpc_calls=3) as parts, frames.http2(parts.grpc) as slow:
        for stream in (1, 3, 5, 7):
            await slow.say(frames.headers(stream, HEAD, end=False), frames.data(stream, PART, end=False))
        heard = await slow.hear([1, 3, 5, 7], patience_s=30)
        told = [heard.answers[stream]["grpc-status"] for stream in (1, 3, 5, 7)]
        assert told == [DEADLINE_EXCEEDED] * 3 + [UNAVAILABLE]
        assert (parts.refused("traces", "too_slow"), parts.refused("traces", "overloaded")) == (3, 1)
        await took(parts)


async def test_a_sender_that_leaves_gives_its_place_back() -> None:
    async with receiving(grpc_calls=1) as parts:
        async with frames.http2(parts.grpc) as leaving:
            await leaving.say(frames.headers(1, HEAD, end=False), frames.data(1, PART, end=False))
            await leaving.say(frames.headers(3, HEAD, end=False))
            assert (await leaving.hear([3])).answers[3]["grpc-status"] == UNAVAILABLE, "the first has the only place"
            await leaving.say(frames.reset(1))
        async with grpc.aio.insecure_channel(parts.grpc) as channel:
            stub = TraceServiceStub(channel)
            while parts.rows == 0:
                with contextlib.suppress(grpc.aio.AioRpcError):
                    await stub.Export(world.request(world.span()))


async def test_a_stranger_is_refused_before_its_message() -> None:
    async with receiving(tenants=[Terms("mesh", digest=bytes(32))]) as parts, frames.http2(parts.grpc) as stranger:
        await stranger.say(frames.headers(1, HEAD, end=False))
        assert (await stranger.hear([1])).answers[1]["grpc-status"] == UNAUTHENTICATED
        assert parts.refused("traces", "unauthenticated") == 1


@pytest.mark.parametrize(("messages", "says"), [(0, "one message"), (2, "one message")])
async def test_a_call_has_one_message(messages: int, says: str) -> None:
    async def some() -> AsyncIterator[bytes]:
        for _ in range(messages):
            yield world.request(world.span()).SerializeToString()

    async with receiving() as parts, grpc.aio.insecure_channel(parts.grpc) as channel:
        with pytest.raises(grpc.aio.AioRpcError, match=says) as ended:
            await channel.stream_unary(EXPORT)(some())
        assert ended.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert (parts.rows, parts.refused("traces", "malformed")) == (0, 1)


async def test_a_flood_of_pings_ends_its_connection_and_no_other() -> None:
    async with receiving() as parts, grpc.aio.insecure_channel(parts.grpc) as channel:
        stub = TraceServiceStub(channel)
        await stub.Export(world.request(world.span()))
        async with frames.http2(parts.grpc) as flooding:
            await flooding.say(frames.ping() * 1000)
            heard = await flooding.hear(end=True)
            assert heard.went_away == frames.ENHANCE_YOUR_CALM
        await stub.Export(world.request(world.span()))
        assert parts.rows == 2
