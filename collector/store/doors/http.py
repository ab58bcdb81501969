"""Serves the embedded store over ClickHouse's HTTP interface (port 8123).

In: curl, Grafana, DBeaver, clickhouse-connect. Out: results in any of ClickHouse's formats, as they are made
where the format allows it. Never: a change by GET, a result without its error when it broke off.
"""

import asyncio
import logging
import secrets
import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from importlib.resources import files
from typing import Final

from aiohttp import HttpVersion11, web

from collector._columnar import DecodeError, native_blocks_at
from collector.store.doors.accounts import Account, Accounts
from collector.store.doors.held import Held, Sessions
from collector.store.doors.http_answer import content_type, error_text, late_error, status_of, summary
from collector.store.doors.http_body import BODY_MOST, plain
from collector.store.doors.http_coding import Coding
from collector.store.doors.http_head import Streamed, Whole, tell
from collector.store.doors.http_request import Asked, asked, credentials, query_id, session_seconds
from collector.store.embedded import EmbeddedStore
from collector.store.engine import Chunk
from collector.store.errors import AUTHENTICATION_FAILED, TOO_MANY_BYTES, QueryFailed, StoreUnavailable, query_failed
from collector.store.running import Running
from collector.store.statement import Kind
from collector.tls import identities

NOT_IMPLEMENTED: Final = 48
NETWORK_ERROR: Final = 210
KEEP_ALIVE_SECONDS: Final = 30
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
    runner = web.AppRunner(
        app,
        handler_cancellation=True,
        access_log=None,
        shutdown_timeout=1,
        auto_decompress=False,
        keepalive_timeout=KEEP_ALIVE_SECONDS,
    )
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
        self._sessions = Sessions()
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
            body = await _body(http)
            with self._held(http, account) as held:
                wanted = asked(http.method, http.query, http.headers, body, account, held)
                if not wanted.request.sql.strip():
                    return Whole(text="Ok.\n")
                if http.query.get("send_progress_in_http_headers") == "1" and http.version == HttpVersion11:
                    wanted = replace(wanted, request=replace(wanted.request, watch=partial(tell, http)))
                async with self._running(wanted) as running:
                    answer = await self._answer(http, wanted, running)
                held.remember(running.statement)
                return answer
        except web.HTTPRequestEntityTooLarge:
            return self._error(TOO_MANY_BYTES, f"the body is over {BODY_MOST >> 20} MiB. (TOO_MANY_BYTES)", status=413)
        except QueryFailed as error:
            return self._error(error.code, error.message)
        except StoreUnavailable as error:
            return self._error(NETWORK_ERROR, f"{error}. (NETWORK_ERROR)", status=503)

    def _held(self, http: web.Request, account: Account) -> AbstractContextManager[Held]:
        name, known = http.query.get("session_id"), http.query.get("session_check") == "1"
        if not name:
            return nullcontext(Held())
        return self._sessions.enter(account.name, name, session_seconds(http.query), known=known)

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
            return Whole(headers=self._headers(running) | summary(written=written))
        # Looking one chunk ahead: small results are then known to be whole, with their figures, before the head.
        first = await running.next()
        second = await running.next() if first is not None else None
        if first is None or second is None:
            return await self._whole(wanted, running, first)
        return await self._stream(http, wanted, running, [first, second])

    async def _whole(self, wanted: Asked, running: Running, chunk: Chunk | None) -> web.Response:
        headers = self._headers(running) | summary(chunk)
        if chunk is None or not chunk.data:
            return Whole(headers=headers)
        coding = Coding(wanted.coding, frames=wanted.frames)
        body = await coding.part(_data(wanted, running, chunk)) + coding.end()
        return Whole(body=body, headers=headers | coding.headers())

    async def _stream(
        self, http: web.Request, wanted: Asked, running: Running, ahead: list[Chunk]
    ) -> web.StreamResponse:
        tag = secrets.token_hex(8)
        coding = Coding(wanted.coding, frames=wanted.frames)
        headers = self._headers(running) | summary(*ahead) | coding.headers() | {"X-ClickHouse-Exception-Tag": tag}
        response = Streamed(headers=headers)
        await response.prepare(http)
        chunk: Chunk | None
        try:
            for chunk in ahead:
                await response.write(await coding.part(_data(wanted, running, chunk)))
            while (chunk := await running.next()) is not None:
                await response.write(await coding.part(_data(wanted, running, chunk)))
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
        return Whole(text=text, status=status or status_of(code), headers=headers)


async def _named(http: web.Request, response: web.StreamResponse) -> None:
    if _QUERY_ID in http:
        response.headers["X-ClickHouse-Query-Id"] = http[_QUERY_ID]
    if response.keep_alive is not False:
        response.headers["Keep-Alive"] = f"timeout={KEEP_ALIVE_SECONDS}"


async def _body(http: web.Request) -> bytes:
    """What was sent, without its codings. Raises QueryFailed, HTTPRequestEntityTooLarge."""
    if http.content_type.startswith("multipart/"):
        raise query_failed(NOT_IMPLEMENTED, "this store takes no external tables. (NOT_IMPLEMENTED)")
    body, coding = await http.read(), http.headers.get("Content-Encoding", "")
    frames = http.query.get("decompress") == "1"
    return await asyncio.to_thread(plain, body, coding, frames=frames) if coding or frames else body


def _data(wanted: Asked, running: Running, chunk: Chunk) -> bytes:
    """Raises QueryFailed (48) for types whose end in a block is not known here."""
    if not wanted.revision or running.format != "Native":
        return chunk.data
    try:
        return native_blocks_at(chunk.data, wanted.revision)
    except DecodeError as error:
        raise query_failed(NOT_IMPLEMENTED, f"client_protocol_version: {error}. (NOT_IMPLEMENTED)") from None
