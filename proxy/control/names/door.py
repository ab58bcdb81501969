"""The sockets of the DNS door. In: datagrams and TCP connections at one address. Out: responses, by `answer`.

Never: more than so many queries or connections at once; what exceeds that is not answered, and asked again by clients.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import cast

from proxy.control.names.answer import Foreign, answer
from proxy.control.names.directory import Directory, directory
from proxy.control.names.upstream import RESOLV_CONF, Upstreams, resolvers_of
from proxy.control.registry import Registry

_CONNECTIONS = 64
_IDLE_S = 10.0


class NamesDoor:
    """`registry` gives the one in force; names change with it at once. Without an address the door stays shut."""

    def __init__(self, address: str, registry: Callable[[], Registry], resolv_conf: Path = RESOLV_CONF) -> None:
        self._address = address
        self._registry = registry
        self._before = resolvers_of(resolv_conf, address)
        self._upstreams = Upstreams()
        self._known: tuple[Registry, Directory] | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._datagrams: asyncio.DatagramTransport | None = None

    async def open(self) -> int:
        """Listens from now on, and returns the port; raises OSError, and ValueError for what is no address."""
        if not self._address:
            return 0
        host, _, wanted = self._address.rpartition(":")
        host = host.strip("[]")
        self._server = await asyncio.start_server(self._connected, host, int(wanted))
        port: int = self._server.sockets[0].getsockname()[1]
        try:
            self._datagrams, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: _Datagrams(self), local_addr=(host, port)
            )
        except OSError:
            self._server.close()
            raise
        return port

    async def close(self) -> None:
        """Stops listening, and hangs up."""
        if self._datagrams:
            self._datagrams.close()
        if self._server:
            self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def directory(self) -> Directory:
        """The names of the registry in force."""
        registry = self._registry()
        if self._known is None or self._known[0] is not registry:
            self._known = registry, directory(registry)
        return self._known[1]

    async def respond(self, wire: bytes, over_tcp: bool) -> bytes | None:
        """The response to one query, if it gets any."""
        said = answer(wire, self.directory(), over_tcp)
        return await self.pass_on(said, over_tcp) if isinstance(said, Foreign) else said

    async def pass_on(self, foreign: Foreign, over_tcp: bool) -> bytes:
        """What others say to a query."""
        resolvers = self._registry().mesh.spec.dns.resolvers(self._before)
        return await self._upstreams.ask(foreign.query, resolvers, over_tcp)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast(asyncio.Task[None], asyncio.current_task())
        if len(self._connections) >= _CONNECTIONS:
            writer.transport.abort()
            return
        self._connections.add(task)
        try:
            with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                await self._talk(reader, writer)
        finally:
            self._connections.discard(task)
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One query after the other, each with its length before it (RFC 1035, 4.2.2)."""
        while True:
            async with asyncio.timeout(_IDLE_S):
                length = int.from_bytes(await reader.readexactly(2))
                wire = await reader.readexactly(length)
            response = await self.respond(wire, over_tcp=True)
            if response is None:
                return
            writer.write(len(response).to_bytes(2) + response)
            async with asyncio.timeout(_IDLE_S):
                await writer.drain()


class _Datagrams(asyncio.DatagramProtocol):
    """One query a datagram; those for others wait in tasks, which `Upstreams` bounds."""

    def __init__(self, door: NamesDoor) -> None:
        self._door = door
        self._waiting: set[asyncio.Task[None]] = set()
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        said = answer(data, self._door.directory(), over_tcp=False)
        if isinstance(said, Foreign):
            task = asyncio.create_task(self._pass_on(said, addr))
            self._waiting.add(task)
            task.add_done_callback(self._waiting.discard)
        elif said is not None:
            self._send(said, addr)

    def connection_lost(self, exc: Exception | None) -> None:
        for task in self._waiting:
            task.cancel()

    async def _pass_on(self, foreign: Foreign, addr: tuple[str, int]) -> None:
        self._send(await self._door.pass_on(foreign, over_tcp=False), addr)

    def _send(self, response: bytes, addr: tuple[str, int]) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.sendto(response, addr)
