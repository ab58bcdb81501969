"""Serves the embedded store over ClickHouse's native protocol (port 9000).

In: clickhouse-driver, clickhouse-client, remote() and whoever else speaks revision 54032 or later.
Out: results block by block as fast as the client takes them.
Never: an unbounded number of connections, a client whose bytes disturb another.
"""

import asyncio
import logging
import ssl
from dataclasses import dataclass
from typing import Final

from collector.store.doors.accounts import Accounts
from collector.store.doors.connection import Connection
from collector.store.doors.protocol import exception
from collector.store.embedded import EmbeddedStore
from collector.store.errors import TOO_MANY_SIMULTANEOUS_QUERIES

CONNECTIONS_MOST: Final = 128
_BUFFERED: Final = 1 << 20

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NativeDoor:
    """An open door; `port` is the bound one."""

    host: str
    port: int
    _server: asyncio.Server
    _serving: set[asyncio.Task[None]]

    async def close(self) -> None:
        """Stops listening and ends every connection; their queries are cancelled."""
        self._server.close()
        for task in list(self._serving):
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        await self._server.wait_closed()


async def serve_native(
    store: EmbeddedStore,
    host: str,
    port: int,
    *,
    accounts: Accounts | None = None,
    tls: ssl.SSLContext | None = None,
) -> NativeDoor:
    """Opens the native door on `host`:`port` (0 = any free one). Raises OSError when it cannot be bound."""
    known = accounts or Accounts()
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(serving) >= CONNECTIONS_MOST:
            await _turn_away(writer)
            return
        writer.transport.set_write_buffer_limits(high=_BUFFERED)
        # A task of its own: asyncio would print a traceback for one of its tasks that is cancelled.
        task = asyncio.create_task(Connection(store, known, reader, writer).serve())
        serving.add(task)
        task.add_done_callback(serving.discard)
        await asyncio.wait({task})

    server = await asyncio.start_server(serve, host, port, ssl=tls)
    bound = server.sockets[0].getsockname()
    return NativeDoor(bound[0], bound[1], server, serving)


async def _turn_away(writer: asyncio.StreamWriter) -> None:
    log.warning("native door: refused a connection, %d are open", CONNECTIONS_MOST)
    writer.write(
        exception(TOO_MANY_SIMULTANEOUS_QUERIES, f"{CONNECTIONS_MOST} connections are open already; try again.")
    )
    writer.close()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)
