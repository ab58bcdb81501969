"""One client on the native port, from its greeting to its end.

In: packets. Out: packets. Never: a query that goes on after Cancel or after the client left.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from collector.store.columns import native_heading
from collector.store.doors import compress
from collector.store.doors import protocol as p
from collector.store.doors.accounts import Account, Accounts
from collector.store.doors.held import Held
from collector.store.doors.incoming import Incoming
from collector.store.doors.outgoing import Outgoing, send
from collector.store.doors.pace import Pace
from collector.store.embedded import EmbeddedStore
from collector.store.errors import QueryFailed, StoreUnavailable, query_failed
from collector.store.running import Request, Running
from collector.tls import identities

T = TypeVar("T")

GREETING_SECONDS: Final = 10
INSERT_MOST: Final = 128 << 20
NOT_IMPLEMENTED: Final = 48
UNEXPECTED_PACKET: Final = 101
NETWORK_ERROR: Final = 210

log = logging.getLogger(__name__)


class Connection:
    """Speaks with one client; `serve()` returns when it is gone."""

    def __init__(
        self,
        store: EmbeddedStore,
        accounts: Accounts,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._incoming = Incoming(reader, store.numeric_settings)
        self._writer = writer
        self._peer = writer.get_extra_info("peername")
        self._identities = identities(writer.get_extra_info("peercert"))
        self._upcoming: asyncio.Task[int] | None = None
        self._held = Held()

    async def serve(self) -> None:
        """Greets and answers packets until the client leaves or sends what is not the protocol."""
        try:
            await self._serve()
        except p.BadPacket as error:
            log.warning("native door: closed the connection of %s: %s", self._peer, error)
            self._writer.write(p.exception(UNEXPECTED_PACKET, f"{error}. (UNEXPECTED_PACKET_FROM_CLIENT)"))
        except (EOFError, ConnectionError, TimeoutError):
            log.debug("native door: %s left", self._peer)
        finally:
            if self._upcoming is not None:
                self._upcoming.cancel()
            self._writer.close()
            await asyncio.gather(self._writer.wait_closed(), return_exceptions=True)

    async def _serve(self) -> None:
        greeting = await asyncio.wait_for(self._incoming.greeting(), GREETING_SECONDS)
        try:
            account = self._accounts.enter(greeting.user, greeting.password, self._identities)
        except QueryFailed as error:
            await self._send(p.exception(error.code, error.message))
            return
        self._held = Held(greeting.database or "otel")
        await self._send(p.hello(greeting.revision, self._store.version, "whymesh"))
        while True:
            kind = await self._next_kind()
            if kind == p.Client.PING:
                await self._send(p.PONG)
            elif kind == p.Client.TABLES_STATUS:
                await self._send(p.tables_status(await self._incoming.tables_asked()))
            elif kind == p.Client.QUERY:
                await self._query(account, greeting.revision)
            elif kind != p.Client.CANCEL:  # a Cancel that crossed the end of its query is of no account
                raise p.BadPacket(f"a packet of type {kind} between queries")

    async def _next_kind(self) -> int:
        """The next packet's type, which may have been awaited already while a query ran."""
        if self._upcoming is None:
            return await self._incoming.varint()
        upcoming, self._upcoming = self._upcoming, None
        return await upcoming

    async def _query(self, account: Account, revision: int) -> None:
        query = await self._incoming.query(revision)
        method = compress.method_named(query.settings.get("network_compression_method", ("", False))[0])
        outgoing = Outgoing(self._writer, revision, squeeze=query.compressed, method=method)
        pace = Pace(revision, self._writer.write)
        try:
            await self._skip_external_tables(outgoing)
            if query.stage != p.COMPLETE:
                raise query_failed(
                    NOT_IMPLEMENTED,
                    "this store answers whole queries, not its share of one over several: ask it as the only shard. "
                    "(NOT_IMPLEMENTED)",
                )
            request = Request(
                query.sql,
                self._held.database,
                settings=self._known_settings(query),
                sets=self._held.sets,
                rights=account.rights,
                native=True,
                watch=pace.told,
            )
            await self._answer(request, outgoing, pace)
        except QueryFailed as error:
            await self._send(p.exception(error.code, error.message))
        except StoreUnavailable as error:
            await self._send(p.exception(NETWORK_ERROR, f"{error}. (NETWORK_ERROR)"))

    async def _answer(self, request: Request, outgoing: Outgoing, pace: Pace) -> None:
        try:
            running = await self._watched(self._store.start(request))
            try:
                if running.awaits_rows:
                    await self._take_rows(running, outgoing)
                else:
                    await self._give_rows(running, outgoing, pace)
            finally:
                await running.close()
            self._held.remember(running.statement)
        except _Cancelled:
            log.debug("native door: %s cancelled its query", self._peer)
        await outgoing.send(p.END_OF_STREAM)

    async def _give_rows(self, running: Running, outgoing: Outgoing, pace: Pace) -> None:
        if running.columns:
            await outgoing.block(native_heading(running.columns))
        while (chunk := await self._watched(running.next())) is not None:
            pace.read(chunk.read_rows, chunk.read_bytes)
            if chunk.data:
                await outgoing.block(chunk.data)

    async def _take_rows(self, running: Running, outgoing: Outgoing) -> None:
        await outgoing.block(native_heading(running.columns))
        blocks: list[bytes] = []
        size = 0
        while (packet := await self._data(outgoing)) != (p.Client.DATA, p.EMPTY_BLOCK):
            blocks.append(packet[1])
            size += len(packet[1])
            if size > INSERT_MOST:
                raise p.BadPacket(f"more than {INSERT_MOST >> 20} MiB in one INSERT; send several")
        if blocks:
            written = await running.feed(blocks)
            if outgoing.revision >= p.WRITTEN_IN_PROGRESS:
                await outgoing.send(p.progress(outgoing.revision, 0, written=written))

    async def _skip_external_tables(self, outgoing: Outgoing) -> None:
        """Reads to the empty block that ends them, so that a refusal finds the connection in order."""
        tables = 0
        while (packet := await self._data(outgoing)) != (p.Client.DATA, p.EMPTY_BLOCK):
            # A scalar (remote() sends the shard's number as one) may go unused, a table may not.
            tables += packet[0] == p.Client.DATA
        if tables:
            raise query_failed(NOT_IMPLEMENTED, "this store takes no external tables. (NOT_IMPLEMENTED)")

    async def _data(self, outgoing: Outgoing) -> tuple[int, bytes]:
        kind = await self._next_kind()
        if kind not in (p.Client.DATA, p.Client.SCALAR):
            raise p.BadPacket(f"a packet of type {kind} where data is expected")
        return kind, await self._incoming.data(outgoing.revision, compressed=outgoing.squeeze)

    async def _watched(self, work: Coroutine[Any, Any, T]) -> T:
        """Does `work` and listens meanwhile: Cancel or the end of the connection ends the work."""
        task = asyncio.ensure_future(work)
        try:
            if self._upcoming is None:
                self._upcoming = asyncio.create_task(self._incoming.varint())
            await asyncio.wait({task, self._upcoming}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():  # its result may hold a session: never dropped for a Cancel at the same moment
                return await task
            if self._upcoming.done() and self._upcoming.exception() is not None:
                await self._next_kind()
            if self._upcoming.done() and self._upcoming.result() == p.Client.CANCEL:
                self._upcoming = None
                raise _Cancelled
            return await task
        finally:
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    def _known_settings(self, query: p.Query) -> dict[str, str]:
        """What the engine knows of the client's settings; newer and older clients have others, which it
        would refuse. Those a client marks as important are passed on, so that they are refused."""
        return {
            name: value
            for name, (value, important) in query.settings.items()
            if important or name in self._store.settings
        }

    async def _send(self, data: bytes) -> None:
        await send(self._writer, data)


class _Cancelled(Exception):
    """The client does not want the rest."""
