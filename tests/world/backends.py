"""Two HTTP servers of different make, which write down each request they understood.

In: whatever reaches them. Out: the requests, as their own parsers read them, in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, MutableSequence
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple

from aiohttp import web
from hypercorn.asyncio import serve
from hypercorn.config import Config

from tests.world.apps import app
from tests.world.otlp_sink import eventually
from tests.world.processes import free_port


class Seen(NamedTuple):
    """One request, read to its end."""

    method: str
    target: str
    host: str
    body: bytes


Log = MutableSequence[Seen]
Backend = Callable[[Log], AbstractAsyncContextManager[str]]


@contextlib.asynccontextmanager
async def by_aiohttp(log: Log) -> AsyncIterator[str]:
    """aiohttp's own parser (llhttp); yields host:port."""

    async def handle(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        log.append(Seen(request.method, request.raw_path, request.headers.get("host", ""), body))
        return web.Response(text=f"saw {request.raw_path}")

    async with app(handle) as address:
        yield address


@contextlib.asynccontextmanager
async def by_hypercorn(log: Log) -> AsyncIterator[str]:
    """hypercorn with h11; yields host:port."""

    async def handle(scope: dict[str, Any], receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        query = scope["query_string"]
        target = (scope["raw_path"] + (b"?" + query if query else b"")).decode("latin-1")
        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
        log.append(Seen(scope["method"], target, host, body))
        text = f"saw {target}".encode()
        length = str(len(text)).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
        await send({"type": "http.response.body", "body": text})

    config = Config()
    port = free_port()
    config.bind = [f"127.0.0.1:{port}"]
    config.errorlog = None
    config.graceful_timeout = 0.1
    stop = asyncio.Event()
    serving = asyncio.create_task(serve(handle, config, shutdown_trigger=stop.wait))  # type: ignore[arg-type]
    await eventually(lambda: serving.done() or _listens(port), "hypercorn to listen")
    try:
        yield f"127.0.0.1:{port}"
    finally:
        stop.set()
        await serving


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


BACKENDS: dict[str, Backend] = {"aiohttp": by_aiohttp, "hypercorn": by_hypercorn}
