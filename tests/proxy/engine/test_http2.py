"""HTTP/2 with prior knowledge: from the application, between proxies and to the application."""

from __future__ import annotations

import asyncio
import json
import subprocess

from tests.proxy.engine.conftest import Pair
from tests.world.apps import app, echo
from tests.world.engines import sidecar, upstream
from tests.world.otlp_sink import OtlpSink


async def curl(*arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        "curl", "--silent", "--show-error", "--max-time", "10", *arguments, stdout=subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode()


async def test_a_client_may_speak_http2(pair: Pair) -> None:
    told = json.loads(
        await curl("--http2-prior-knowledge", "-H", "host: back", "-d", "hi", f"{pair.front.proxy}/a?b=1")
    )
    assert (told["method"], told["path"], told["body"]) == ("POST", "/a?b=1", "hi")
    assert told["headers"]["host"] == "back"
    (client,) = await pair.sink.wait(1, "front")
    (server,) = await pair.sink.wait(1, "back")
    assert client["network.protocol.version"] == "2"
    assert server["network.protocol.version"] == "1.1"


async def test_http2_all_the_way_to_a_proxy(sink: OtlpSink) -> None:
    """Many requests at once share one connection between the proxies, and each keeps its own answer."""
    async with (
        app(echo) as address,
        sidecar("back", app=address, telemetry=sink.url) as back,
        sidecar("front", calls=(upstream("back", back.endpoint, protocol="http2"),), telemetry=sink.url) as front,
    ):
        first = json.loads(await curl("--http2-prior-knowledge", "-H", "host: back", f"{front.proxy}/first"))
        assert first["path"] == "/first"
        process = await asyncio.create_subprocess_exec(
            "nghttp", "-n", "-m", "50", "-H", ":authority: back", f"{front.proxy}/many", stdout=subprocess.PIPE
        )
        await process.communicate()
        assert process.returncode == 0
        spans = await sink.wait(51, "back")
        assert back.stats()["connections"]["inbound"] == 1
    assert {span["network.protocol.version"] for span in spans} == {"2"}
    assert {span["http.response.status_code"] for span in spans} == {200}


async def test_an_application_that_speaks_http2(sink: OtlpSink) -> None:
    """The inner proxy stands for an application that knows nothing but HTTP/2 prior knowledge."""
    async with (
        app(echo) as address,
        sidecar("inner", app=address, telemetry=sink.url) as inner,
        sidecar("back", app=inner.inbound, inbound={"protocol": "http2"}, telemetry=sink.url) as back,
        sidecar("front", calls=(upstream("back", back.endpoint),), telemetry=sink.url) as front,
    ):
        told = json.loads(await curl("-d", "hi", "-H", "host: back", f"{front.proxy}/a"))
        assert (told["path"], told["body"], told["headers"]["host"]) == ("/a", "hi", "back")
        (span,) = await sink.wait(1, "inner")
    assert span["network.protocol.version"] == "2"


async def test_a_broken_http2_connection_is_closed(pair: Pair) -> None:
    host, port = pair.front.proxy.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 64)
    await asyncio.wait_for(reader.read(), 5)
    writer.close()
    await writer.wait_closed()
    async with pair.call() as response:
        assert response.status == 200
