"""Serves the embedded store over ClickHouse's HTTP interface (port 8123).

In: curl, Grafana, DBeaver, clickhouse-connect. Out: results in any of ClickHouse's formats, as they are made
where the format allows it. Never: a change by GET, a result without its error when it broke off.
"""

import json
import logging
import secrets
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from aiohttp import web

from collector.store.doors.accounts import Accounts
from collector.store.doors.http_answer import content_type, error_text, late_error, status_of
from collector.store.doors.http_coding import BODY_MOST, Coding, decoded
from collector.store.doors.http_request import Asked, asked, credentials, query_id
from collector.store.embedded import EmbeddedStore
from collector.store.engine import Chunk
from collector.store.errors import AUTHENTICATION_FAILED, QueryFailed, StoreUnavailable
from collector.store.running import Running
from collector.store.statement import Kind
from collector.tls import identities

NETWORK_ERROR: Final = 210
# A page for whoever has a browser and nothing else; it asks this same door.
_PLAY: Final = (files("collector.store.doors") / "play.html").read_text()

_QUERY_ID: Final = web.RequestKey("query_id", str)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class HttpDoor:
    """An open door; `port` is the bound one."""

    host: str
    port: int
    _runner: web.AppRunner

    async def close(self) -> None:
        """Stops listening and ends every request; their queries are cancelled."""
        await self._runner.cleanup()


async def serve_http(
    store: EmbeddedStore,
    host: str,
    port: int,
    *,
    accounts: Accounts | None = None,
    tls: ssl.SSLContext | None = None,
) -> HttpDoor:
    """Opens the HTTP door on `host`:`port` (0 = any free one). Raises OSError when it cannot be bound."""
    handler = _Handler(store, accounts or Accounts())
    app = web.Application(client_max_size=BODY_MOST)
    app.router.add_get("/ping", handler.ping)
    app.router.add_get("/replicas_status", handler.ping)  # there are no replicas that could be late
    app.router.add_get("/play", handler.play)
    app.on_response_prepare.append(_named)
    app.router.add_route("*", "/{path:.*}", handler.query)
    # A client that leaves cancels its handler, and with it the query.
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, ssl_context=tls).start()
    except BaseException:
        await runner.cleanup()
        raise
    bound = runner.addresses[0]
    return HttpDoor(bound[0], bound[1], runner)


class _Handler:
    def __init__(self, store: EmbeddedStore, accounts: Accounts) -> None:
        self._store = store
        self._accounts = accounts
        self._version = ".".join(map(str, store.version))

    async def ping(self, _: web.Request) -> web.Response:
        return web.Response(text="Ok.\n")

    async def play(self, _: web.Request) -> web.Response:
        return web.Response(text=_PLAY, content_type="text/html", headers={"X-Frame-Options": "DENY"})

    async def query(self, http: web.Request) -> web.StreamResponse:
        http[_QUERY_ID] = query_id(http.query)
        try:
            who = credentials(http.query, http.headers)
            account = self._accounts.enter(who.user, who.password, identities(http.get_extra_info("peercert")))
            wanted = asked(http.method, http.query, http.headers, decoded(http.headers, await http.read()), account)
            if not wanted.request.sql.strip():
                return web.Response(text="Ok.\n")
            async with self._running(wanted) as running:
                return await self._answer(http, wanted, running)
        except QueryFailed as error:
            return self._error(error.code, error.message)
        except StoreUnavailable as error:
            return self._error(NETWORK_ERROR, f"{error}. (NETWORK_ERROR)", status=503)

    @asynccontextmanager
    async def _running(self, wanted: Asked) -> AsyncIterator[Running]:
        running = await self._store.start(wanted.request)
        try:
            yield running
        finally:
            await running.close()

    async def _answer(self, http: web.Request, wanted: Asked, running: Running) -> web.StreamResponse:
        if running.awaits_rows:
            written = await running.feed([wanted.rows])
            return web.Response(headers=self._headers(running) | _summary(written=written))
        # Looking one chunk ahead: small results are then known to be whole, with their figures, before the head.
        first = await running.next()
        second = await running.next() if first is not None else None
        if first is None or second is None:
            return await self._whole(wanted, running, first)
        return await self._stream(http, wanted, running, [first, second])

    async def _whole(self, wanted: Asked, running: Running, chunk: Chunk | None) -> web.Response:
        coding = Coding(gzip=wanted.gzip, frames=wanted.frames)
        body = b"" if chunk is None else await coding.part(chunk.data) + coding.end()
        headers = self._headers(running) | coding.headers()
        headers |= _summary() if chunk is None else _summary(read=chunk.read_rows, result=chunk.rows)
        return web.Response(body=body, headers=headers)

    async def _stream(
        self, http: web.Request, wanted: Asked, running: Running, ahead: list[Chunk]
    ) -> web.StreamResponse:
        tag = secrets.token_hex(8)
        coding = Coding(gzip=wanted.gzip, frames=wanted.frames)
        headers = self._headers(running) | coding.headers() | {"X-ClickHouse-Exception-Tag": tag}
        response = web.StreamResponse(headers=headers)
        await response.prepare(http)
        chunk: Chunk | None
        try:
            for chunk in ahead:
                await response.write(await coding.part(chunk.data))
            while (chunk := await running.next()) is not None:
                await response.write(await coding.part(chunk.data))
        except QueryFailed as error:
            text = error_text(error.code, error.message, self._version)
            await response.write(await coding.part(late_error(text, tag)) + coding.end())
            # Without the last chunk of the transfer encoding, also clients that know no tag see it broke off.
            if http.transport is not None:
                http.transport.close()
            return response
        await response.write_eof(coding.end())
        return response

    def _headers(self, running: Running) -> dict[str, str]:
        form = "TabSeparated" if running.statement.kind is not Kind.READ else running.format
        return {
            "Content-Type": content_type(form),
            "X-ClickHouse-Format": form,
            "X-ClickHouse-Timezone": "UTC",
            "X-ClickHouse-Server-Display-Name": "whymesh",
        }

    def _error(self, code: int, message: str, status: int = 0) -> web.Response:
        headers = {"X-ClickHouse-Exception-Code": str(code)}
        if code == AUTHENTICATION_FAILED:
            headers["WWW-Authenticate"] = 'Basic realm="ClickHouse HTTP"'
        text = error_text(code, message, self._version)
        return web.Response(text=text, status=status or status_of(code), headers=headers)


async def _named(http: web.Request, response: web.StreamResponse) -> None:
    if _QUERY_ID in http:
        response.headers["X-ClickHouse-Query-Id"] = http[_QUERY_ID]


def _summary(read: int = 0, result: int = 0, written: int = 0) -> dict[str, str]:
    figures = {"read_rows": read, "read_bytes": 0, "written_rows": written, "result_rows": result}
    return {"X-ClickHouse-Summary": json.dumps({name: str(value) for name, value in figures.items()})}
