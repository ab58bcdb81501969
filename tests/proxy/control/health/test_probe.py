"""Questions to real servers: well, unwell, silent, gone, and not what they should be."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from aiohttp import web

from proxy.control.documents.health import HealthSpec
from proxy.control.health.probe import ask
from tests.world.processes import free_port


def spec(timeout: str = "20s", **check: Any) -> HealthSpec:
    return HealthSpec.model_validate({"timeout": timeout, **check})


@contextlib.asynccontextmanager
async def app(status: int, path: Path | None = None) -> AsyncIterator[str]:
    """An HTTP server that answers with this status, and the host it was asked for."""

    async def answer(request: web.Request) -> web.Response:
        expected = request.path == "/healthz" and request.headers["Host"] == request.headers.get("X", "cart.test")
        return web.Response(status=status if expected else 400, headers={"Location": "/elsewhere"})

    application = web.Application()
    application.router.add_get("/{any:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.UnixSite(runner, path) if path else web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"unix:{path}" if path else f"127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


HTTP = {"http": {"path": "/healthz", "host": "cart.test"}}


@pytest.mark.parametrize(
    ("status", "statuses", "complaint"),
    [
        (200, [], None),
        (204, [], None),
        (302, [], "answered 302 to GET /healthz"),
        (503, [], "answered 503 to GET /healthz"),
        (429, [200, 429], None),
        (204, [200], "answered 204 to GET /healthz"),
    ],
)
async def test_http(status: int, statuses: list[int], complaint: str | None) -> None:
    async with app(status) as place:
        assert await ask(spec(http={**HTTP["http"], "statuses": statuses}), place) == complaint


async def test_http_and_tcp_at_a_unix_socket(tmp_path: Path) -> None:
    async with app(200, tmp_path / "s") as place:
        assert await ask(spec(tcp={}), place) is None
        assert await ask(spec(**HTTP), place) is None
    assert await ask(spec(tcp={}), f"unix:{tmp_path}/none") == "No such file or directory"


async def test_who_is_gone_is_said_to_refuse() -> None:
    place = f"127.0.0.1:{free_port()}"
    assert await ask(spec(tcp={}), place) == "Connection refused"
    assert "Connect" in (await ask(spec(**HTTP), place) or "")
    assert "gRPC status UNAVAILABLE" in (await ask(spec(grpc={}), place) or "")
    assert await ask(spec(tcp={}), "no-such-host.invalid:80")


async def test_who_takes_connections_and_says_nothing_is_well_for_tcp_only() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"127.0.0.1:{silent.getsockname()[1]}"
        assert await ask(spec(tcp={}), place) is None
        assert await ask(spec(timeout="200ms", **HTTP), place) == "no answer within 0.2 s"
        assert await ask(spec(timeout="200ms", grpc={}), place)


async def test_who_talks_nonsense_is_unwell() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"\x00\xff" * 100)
        writer.close()
        await writer.wait_closed()
        over.set()

    over = asyncio.Event()
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        assert await ask(spec(**HTTP), f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
        await over.wait()


class _Health(grpc.GenericRpcHandler):
    """grpc.health.v1 of a server with the services `` and `cart`."""

    def __init__(self) -> None:
        self.answers = {b"": b"\x08\x01", b"\x0a\x04cart": b"\x08\x01"}

    def service(self, call: grpc.HandlerCallDetails) -> Any:
        async def check(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
            if request not in self.answers:
                await context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
            return self.answers[request]

        if call.method != "/grpc.health.v1.Health/Check":
            return None
        return grpc.unary_unary_rpc_method_handler(check)


async def test_grpc() -> None:
    health = _Health()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((health,))
    place = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    assert await ask(spec(grpc={}), place) is None
    assert await ask(spec(grpc={"service": "cart"}), place) is None
    assert await ask(spec(grpc={"service": "pay"}), place) == "gRPC status NOT_FOUND: unknown service"
    health.answers[b""] = b"\x08\x02"
    assert await ask(spec(grpc={}), place) == "answered NOT_SERVING"
    health.answers[b""] = b"nonsense"
    assert await ask(spec(grpc={}), place) == "answered what is no status"
    long = "s" * 200
    health.answers[b"\x0a\xc8\x01" + long.encode()] = b"\x08\x01"
    assert await ask(spec(grpc={"service": long}), place) is None
    await server.stop(None)
