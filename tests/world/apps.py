"""Applications that a proxy stands beside: well-behaved ones by aiohttp, and ones that say what they are told."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def app(handler: Handler, host: str = "127.0.0.1", socket: Path | None = None) -> AsyncIterator[str]:
    """An HTTP application for every path; yields its host:port, or the place of its Unix socket."""
    application = web.Application(client_max_size=1 << 30)
    application.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(application, shutdown_timeout=0.2)
    await runner.setup()
    try:
        if socket:
            await web.UnixSite(runner, socket).start()
            yield f"unix:{socket}"
        else:
            await web.TCPSite(runner, host, 0).start()
            yield f"{shown(host)}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def shown(host: str) -> str:
    """A host as it stands before a port."""
    return f"[{host}]" if ":" in host else host


async def echo(request: web.Request) -> web.StreamResponse:
    """Answers what it was asked."""
    body = await request.text()
    headers = {name.lower(): value for name, value in request.headers.items()}
    return web.json_response(
        {"method": request.method, "path": request.path_qs, "headers": headers, "body": body},
        status=int(request.query.get("status", "200")),
        headers={"x-from": "app"},
    )


async def websocket_echo(request: web.Request) -> web.StreamResponse:
    """Says back each message until the other side closes."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type is aiohttp.WSMsgType.TEXT:
            await socket.send_str(message.data.upper())
    return socket


def calling(proxy: str, *urls: str, carry: tuple[str, ...] = ("traceparent", "tracestate")) -> Handler:
    """An application that makes calls through its proxy, all at once, and passes the named headers on."""

    async def handle(request: web.Request) -> web.StreamResponse:
        headers = {name: request.headers[name] for name in carry if name in request.headers}

        async def call(url: str) -> int:
            async with session.get(url, headers=headers, proxy=proxy) as response:
                await response.read()
                return response.status

        async with aiohttp.ClientSession() as session:
            statuses = await asyncio.gather(*map(call, urls))
        return web.json_response(statuses)

    return handle


@contextlib.asynccontextmanager
async def talker(talk: Talk, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A bare TCP server; `talk` has each connection to itself. Yields its host:port."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, host, 0, ssl=tls)
    try:
        yield f"{shown(host)}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def dial(address: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A bare connection to host:port or http://host:port, to say on it what no client library would."""
    host, _, port = address.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host.strip("[]"), port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def head(reader: asyncio.StreamReader) -> str:
    """The next message head on a connection, without its body."""
    return (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
