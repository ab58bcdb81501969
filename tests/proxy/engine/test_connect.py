"""`CONNECT`: tunnels that callers ask for by HTTP, of either version, and are given where that is configured."""

from __future__ import annotations

import pytest

from tests.proxy.engine.test_tunnels import caller, ended, greet, shout
from tests.world.apps import dial, head, talker
from tests.world.engines import upstream
from tests.world.frames import block, data, headers, http2
from tests.world.otlp_sink import OtlpSink
from tests.world.processes import free_port


async def test_connect_tunnels_to_the_services_that_are_named(sink: OtlpSink) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    async with talker(greet) as address:
        calls = (upstream("mail", address, protocol="tcp"), upstream("db", address, protocol="tcp"))
        async with caller(sink, *calls, connect=("mail",)) as (front, _):
            async with dial(front.proxy) as (reader, writer):
                parent = f"traceparent: 00-{trace}-00f067aa0ba902b7-01"
                writer.write(f"CONNECT mail:80 HTTP/1.1\r\nhost: mail:80\r\n{parent}\r\n\r\n".encode())
                assert (await head(reader)).startswith("HTTP/1.1 200")
                assert await reader.readline() == b"220 ready\r\n"
                writer.write(b"quit")
                assert await reader.readexactly(4) == b"QUIT"
            (span,) = await sink.wait(1)
            assert (span.name, span.trace) == ("tcp mail", trace)
            assert span.attributes["server.port"] == 80
            async with dial(front.proxy) as (reader, writer):
                writer.write(b"CONNECT db:80 HTTP/1.1\r\nhost: db:80\r\n\r\n")
                assert "mesh-reason: connect_not_allowed" in await head(reader)
            nobody = f"127.0.0.1:{free_port()}"
            await front.change(services=(upstream("mail", nobody, protocol="tcp"), calls[1]))
            async with dial(front.proxy) as (reader, writer):
                writer.write(b"CONNECT mail:80 HTTP/1.1\r\nhost: mail:80\r\n\r\n")
                answer = await head(reader)
                assert answer.startswith("HTTP/1.1 503")
                assert "mesh-reason: connect_refused" in answer


async def test_connect_in_http2_is_one_stream_beside_others(sink: OtlpSink) -> None:
    def connect(name: str) -> bytes:
        return block([(":method", "CONNECT"), (":authority", f"{name}:80")])

    async with talker(shout) as address:
        calls = (upstream("db", address, protocol="tcp"), upstream("mail", address, protocol="tcp"))
        async with caller(sink, *calls, connect=("db",)) as (front, _), http2(front.proxy) as client:
            await client.say(headers(1, connect("db"), end=False), data(1, b"select 1", end=False))
            await client.hear_body(1, b"SELECT 1")
            assert client.heard.statuses == {1: "200"}
            await client.say(headers(3, connect("mail")))
            heard = await client.hear([3])
            assert heard.answers[3]["mesh-reason"] == "connect_not_allowed"
            await client.say(data(1))
            await client.hear([1])
            tunnel = await ended(front)
            assert (tunnel["sent_bytes"], tunnel["received_bytes"]) == (8, 8)


@pytest.mark.parametrize("host", ["mail:80", "other:80"])
async def test_what_may_be_connected_to_changes_while_the_proxy_serves(sink: OtlpSink, host: str) -> None:
    async with talker(greet) as address:
        calls = (upstream("mail", address, protocol="tcp"), upstream("other", address, protocol="tcp"))
        async with caller(sink, *calls, connect=("mail",)) as (front, _):
            name = host.removesuffix(":80")
            assert front.workload.outbound
            await front.change(outbound=front.workload.outbound.model_copy(update={"connect": ("other",)}))
            async with dial(front.proxy) as (reader, writer):
                writer.write(f"CONNECT {host} HTTP/1.1\r\nhost: {host}\r\n\r\n".encode())
                answer = await head(reader)
                assert answer.startswith("HTTP/1.1 200" if name == "other" else "HTTP/1.1 405"), answer
