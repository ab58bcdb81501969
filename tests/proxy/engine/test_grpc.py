"""gRPC calls through two proxies: carried whole, told as calls, and refused in words that gRPC understands."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import grpc
import pytest

from proxy.snapshot import Policy
from proxy.snapshot.faults import Abort, Fault
from proxy.snapshot.policies import Balancer, Outlier
from tests.world.apps import talker
from tests.world.engines import Sidecar, sidecar, upstream
from tests.world.frames import Kind, block, frame, headers
from tests.world.grpc_apps import SERVICE, add, channel, grpc_app, watch
from tests.world.otlp_sink import OtlpSink, Seen
from tests.world.processes import free_port


@dataclass
class Calls:
    """`front` calls `back`, which is a gRPC service."""

    front: Sidecar
    back: Sidecar
    channel: grpc.aio.Channel
    sink: OtlpSink

    async def spans(self) -> tuple[Seen, Seen]:
        """The client and the server span of the one call."""
        await self.sink.wait(2)
        (client,), (server,) = self.sink.of("front"), self.sink.of("back")
        return client, server


@contextlib.asynccontextmanager
async def calls(sink: OtlpSink, address: str, authority: str = "back", **limits: int) -> AsyncIterator[Calls]:
    async with (
        sidecar("back", app=address, telemetry=sink.url, inbound={"protocol": "http2"}, **limits) as back,
        sidecar(
            "front", calls=(upstream("back", back.endpoint, protocol="http2"),), telemetry=sink.url, **limits
        ) as front,
        channel(front.proxy.removeprefix("http://"), authority) as opened,
    ):
        yield Calls(front, back, opened, sink)


@pytest.fixture
async def shop(sink: OtlpSink) -> AsyncIterator[Calls]:
    async with grpc_app() as address, calls(sink, address) as made:
        yield made


@contextlib.contextmanager
def ends_with(code: grpc.StatusCode, said: str = "") -> Iterator[None]:
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        yield
    assert ended.value.code() is code, ended.value
    assert said in (ended.value.details() or "")


async def test_a_call_is_told_as_one(shop: Calls) -> None:
    assert await add(shop.channel, b"apple") == b"apple"
    client, server = await shop.spans()
    for span in (client, server):
        assert span.name == f"{SERVICE}/Add"
        assert span["rpc.system.name"] == "grpc"
        assert span["rpc.method"] == f"{SERVICE}/Add"
        assert span["rpc.response.status_code"] == "OK"
        assert span["mesh.route"] == f"/{SERVICE}/Add", "no part of it is taken for an identifier"
        assert (span["http.response.status_code"], span["network.protocol.version"]) == (200, "2")
        assert not span.error
        assert "error.type" not in span.attributes
    assert shop.front.counted(direction="outbound", status="2xx") == 1


@pytest.mark.parametrize(
    ("number", "name", "of_server", "counted"),
    [
        (5, "NOT_FOUND", False, "4xx"),
        (8, "RESOURCE_EXHAUSTED", False, "4xx"),
        (2, "UNKNOWN", True, "5xx"),
        (14, "UNAVAILABLE", True, "5xx"),
    ],
)
async def test_a_code_is_a_failure_of_whom_the_conventions_say(
    shop: Calls, number: int, name: str, of_server: bool, counted: str
) -> None:
    with ends_with(grpc.StatusCode[name], "as the test wants"):
        await add(shop.channel, b"code:%d" % number)
    client, server = await shop.spans()
    for span in (client, server):
        assert span["rpc.response.status_code"] == name
        assert span["http.response.status_code"] == 200
        assert "mesh.reason" not in span.attributes
    assert (client.error, client["error.type"]) == (True, name)
    assert server.error is of_server
    for proxy, direction in ((shop.front, "outbound"), (shop.back, "inbound")):
        assert proxy.counted(direction=direction, status=counted) == 1


async def test_a_stream_arrives_whole_and_its_end_counts(shop: Calls) -> None:
    assert await watch(shop.channel, b"300") == [b"%d" % number for number in range(300)]
    client, server = await shop.spans()
    assert client["rpc.response.status_code"] == server["rpc.response.status_code"] == "OK"

    shop.sink.spans.clear()
    pieces = []
    with ends_with(grpc.StatusCode.DATA_LOSS, "after the last"):
        async for piece in shop.channel.unary_stream(f"/{SERVICE}/Watch")(b"3!", timeout=10):
            pieces.append(piece)
    assert pieces == [b"0", b"1", b"2"]
    client, server = await shop.spans()
    for span in (client, server):
        assert (span.error, span["error.type"]) == (True, "DATA_LOSS")
    assert shop.front.counted(direction="outbound", status="5xx") == 1


async def test_both_sides_of_a_call_talk_at_once(shop: Calls) -> None:
    talk = shop.channel.stream_stream(f"/{SERVICE}/Talk")(timeout=10)
    for piece in (b"a", b"b", b"c"):
        await talk.write(piece)
        assert await talk.read() == piece.upper(), "before the caller has said all"
    await talk.done_writing()
    assert await talk.read() is grpc.aio.EOF
    assert await talk.code() is grpc.StatusCode.OK
    client, _ = await shop.spans()
    assert client["rpc.method"] == f"{SERVICE}/Talk"


async def test_a_caller_that_gives_up_has_not_failed(shop: Calls) -> None:
    talk = shop.channel.stream_stream(f"/{SERVICE}/Talk")()
    await talk.write(b"a")
    assert await talk.read() == b"A"
    talk.cancel()
    for span in await shop.spans():
        assert (span["rpc.response.status_code"], span["mesh.reason"]) == ("CANCELLED", "client_cancelled")
        assert not span.error


async def test_refusals_are_codes(sink: OtlpSink) -> None:
    async with calls(sink, f"127.0.0.1:{free_port()}") as made:
        with ends_with(grpc.StatusCode.UNAVAILABLE, "refused the connection"):
            await add(made.channel, b"x")
        client, server = await made.spans()
        for span in (client, server):
            assert span["mesh.reason"] == "app_connect_refused"
            assert span["rpc.response.status_code"] == span["error.type"] == "UNAVAILABLE"
            assert span["http.response.status_code"] == 200, "as it went over the wire"
    sink.spans.clear()
    async with calls(sink, f"127.0.0.1:{free_port()}", "nowhere") as made:
        with ends_with(grpc.StatusCode.UNAVAILABLE, "No service of this mesh has that authority (nowhere)"):
            await add(made.channel, b"x")
        (client,) = await sink.wait(1)
        assert (client["mesh.reason"], client["rpc.response.status_code"]) == ("unknown_service", "UNAVAILABLE")
        assert client["error.type"] == "unknown_service", "nobody answered it"


async def test_what_is_too_much_is_a_code(sink: OtlpSink) -> None:
    async with grpc_app() as address, calls(sink, address, body_bytes=1_000) as made:
        with ends_with(grpc.StatusCode.RESOURCE_EXHAUSTED):
            await add(made.channel, b"x" * 2_000)


async def test_a_call_that_breaks_in_the_middle_says_why(sink: OtlpSink) -> None:
    """The application answers the head of a call and half a message, and hangs up."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(frame(Kind.SETTINGS))
        await reader.readuntil(b"ask")
        answer = headers(1, block([(":status", "200"), ("content-type", "application/grpc")]), end=False)
        writer.write(answer + frame(Kind.DATA, 0, 1, b"\0\0\0\0\x09half"))
        await writer.drain()

    async with talker(talk) as address, calls(sink, address) as made:
        with ends_with(grpc.StatusCode.UNAVAILABLE, "before its response was complete"):
            await add(made.channel, b"ask")
        for span in await made.spans():
            assert (span["mesh.reason"], span["rpc.response.status_code"]) == ("app_reset", "UNAVAILABLE")
            assert span.error


async def test_an_injected_code_is_what_the_caller_gets(sink: OtlpSink) -> None:
    fault = Fault(name="f/0", abort=Abort(grpc_status=8))
    back = upstream("back", f"127.0.0.1:{free_port()}", protocol="http2", faults=(fault,))
    async with (
        sidecar("front", calls=(back,), telemetry=sink.url) as front,
        channel(front.proxy.removeprefix("http://"), "back") as opened,
    ):
        with ends_with(grpc.StatusCode.RESOURCE_EXHAUSTED, "f/0"):
            await add(opened, b"x")
        (client,) = await sink.wait(1)
        assert (client["rpc.response.status_code"], client["mesh.reason"]) == ("RESOURCE_EXHAUSTED", "fault_abort")


async def test_an_instance_that_answers_with_bad_codes_is_ejected(sink: OtlpSink) -> None:
    policy = Policy(balancer=Balancer(kind="roundRobin"), outlier=Outlier(consecutive=3, success_rate=False))
    async with (
        grpc_app() as good,
        grpc_app(failing=True) as bad,
        sidecar(
            "front", calls=(upstream("back", good, bad, protocol="http2", policy=policy),), telemetry=sink.url
        ) as front,
        channel(front.proxy.removeprefix("http://"), "back") as opened,
    ):
        ended = [await _code(opened) for _ in range(30)]
        assert ended.count(grpc.StatusCode.UNAVAILABLE) == 3
        assert set(ended[-20:]) == {grpc.StatusCode.OK}


async def _code(channel: grpc.aio.Channel) -> grpc.StatusCode:
    try:
        await add(channel, b"x")
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


async def test_a_flood_of_methods_stays_bounded(shop: Calls) -> None:
    for number in range(260):
        with ends_with(grpc.StatusCode.UNIMPLEMENTED):
            await shop.channel.unary_unary(f"/any.Thing/M{number}")(b"", timeout=10)
    spans = await shop.sink.wait(520)
    names = {span.name for span in spans}
    assert len(names) <= 201
    last = [span for span in spans if span["url.path"] == "/any.Thing/M259"]
    assert {span.name for span in last} == {"grpc"}
    assert {(span["rpc.method"], span["rpc.method_original"]) for span in last} == {("_OTHER", "any.Thing/M259")}
