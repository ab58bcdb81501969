"""Lets callers in, and parts with those who keep a connection without asking anything.

In: a listening address, and bounds. Out: connections of the application's server. Never: somebody who asks at once kept
out by somebody who stalls, be it before TLS is agreed, in a head, in a body, or between two requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from proxy.control.api.waiting import Waiting

_BACKLOG = 1024
_NONE_LEFT = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_PAUSE_S = 0.1


@dataclass(frozen=True)
class Bounds:
    """Seconds for TLS to be agreed, for a head to come (and between requests), for a body; connections that wait; bytes
    of a line and of a header, and how many headers."""

    handshake_s: float = 10.0
    head_s: float = 30.0
    body_s: float = 30.0
    of_one: int = 512
    of_all: int = 2048
    line: int = 8190
    headers: int = 64


@dataclass(frozen=True, eq=False)
class _Ticket:
    """One connection, from when it was accepted."""

    connection: socket.socket
    address: str


class _Caller(web.RequestHandler):
    """The server's end of a connection, which says when it is gone."""

    def __init__(self, server: web.Server, ticket: _Ticket, gone: Callable[[_Ticket], None], **options: Any) -> None:
        super().__init__(server, **options)
        self.ticket, self._gone = ticket, gone

    def connection_lost(self, exc: BaseException | None) -> None:
        self._gone(self.ticket)
        super().connection_lost(exc)


class Entrance:
    """All doors of one application: what waits at one counts at the others."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        self._bounds = bounds or Bounds()
        self._waiting: Waiting[_Ticket] = Waiting(self._bounds.of_one, self._bounds.of_all)

    @web.middleware
    async def bounded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """A connection does not wait while its request is answered, unless the body of that does not come."""
        caller, transport = request.protocol, request.transport
        if not isinstance(caller, _Caller) or transport is None:
            return await handler(request)
        self._leave(caller.ticket)
        loop = asyncio.get_running_loop()
        late = loop.call_later(self._bounds.body_s, _abort_unless_whole, request, transport)
        try:
            return await handler(request)
        finally:
            late.cancel()
            if not transport.is_closing():
                self._wait(caller.ticket)

    async def let_in(self, server: web.Server, ticket: _Ticket, tls: ssl.SSLContext | None) -> None:
        """A connection that was accepted becomes one of the server's; one that fails before is closed."""
        self._wait(ticket)
        made = partial(_Caller, server, ticket, self._leave, loop=asyncio.get_running_loop(), **self._options())
        patience_s = self._bounds.handshake_s if tls else None
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                made, ticket.connection, ssl=tls, ssl_handshake_timeout=patience_s
            )
        except OSError:  # TLS is not agreed, or not in time, or the other side is gone
            self._leave(ticket)
            ticket.connection.close()

    def _options(self) -> dict[str, Any]:
        bounds = self._bounds
        sizes = {"max_line_size": bounds.line, "max_field_size": bounds.line, "max_headers": bounds.headers}
        return {"keepalive_timeout": bounds.head_s, "access_log": None, **sizes}

    def _wait(self, ticket: _Ticket) -> None:
        left = self._waiting.begin(ticket, ticket.address)
        if left is not None:
            with contextlib.suppress(OSError):
                left.connection.shutdown(socket.SHUT_RDWR)

    def _leave(self, ticket: _Ticket) -> None:
        self._waiting.end(ticket, ticket.address)


def _abort_unless_whole(request: web.Request, transport: asyncio.Transport) -> None:
    if not request.content.is_eof():
        transport.abort()


class Door(web.BaseSite):
    """An address at which callers come, over TLS where there is a context."""

    def __init__(
        self, runner: web.AppRunner, entrance: Entrance, address: str, tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(runner, ssl_context=tls, backlog=_BACKLOG)
        host, _, port = address.rpartition(":")
        self._host, self._port = host.strip("[]"), int(port)
        self._entrance, self._tls = entrance, tls
        self._sockets: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def name(self) -> str:
        """Its URL."""
        return f"{'https' if self._tls else 'http'}://{self._host}:{self._port}"

    async def start(self) -> None:
        """Listens at each address of its host; raises OSError, with none of them held."""
        await super().start()
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(self._host or None, self._port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, _, _, _, where in dict.fromkeys(found):
            listener = socket.create_server(where, family=family, backlog=_BACKLOG)
            listener.setblocking(False)
            self._sockets.append(listener)
        for listener in self._sockets:
            self._keep(self._accept(listener))

    async def stop(self) -> None:
        """Lets nobody in any more; who is in stays."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for listener in self._sockets:
            listener.close()
        await super().stop()

    async def _accept(self, listener: socket.socket) -> None:
        loop, server = asyncio.get_running_loop(), self._runner.server
        assert server is not None
        while True:
            try:
                caller, where = await loop.sock_accept(listener)
            except OSError as error:
                await asyncio.sleep(_PAUSE_S if error.errno in _NONE_LEFT else 0)
                continue
            self._keep(self._entrance.let_in(server, _Ticket(caller, where[0]), self._tls))
            await asyncio.sleep(0)  # those who are in go on, however many come

    def _keep(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
