"""Keeps the tables in a ClickHouse server or cluster: Native blocks go there as they are, readers ask it themselves.

In: Native blocks for a table. Out: durable rows. Never: work on the event loop, an insert made twice because its answer
was lost (it is repeated under its token), a start that fails because the server is away.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, Self, TypeVar

from collector.keep.expiry import Drop, Part
from collector.store import migrate, upkeep
from collector.store.errors import StoreUnavailable, about
from collector.store.layout import Layout
from collector.store.link import Link
from collector.store.url import StoreUrl

T = TypeVar("T")

LINKS: Final = 4

log = logging.getLogger(__name__)


class ServerStore:
    """The store behind an address. Its methods belong to one event loop."""

    def __init__(self, url: StoreUrl, layout: Layout, *, create: bool) -> None:
        self._url = url
        self._layout = layout
        self._made = not create
        self._making = threading.Lock()
        self._idle: list[Link] = []
        self._threads = ThreadPoolExecutor(LINKS, thread_name_prefix="store-server")
        self._closed = False

    @classmethod
    async def open(cls, url: StoreUrl, layout: Layout | None = None, *, create: bool = True) -> Self:
        """Brings the tables up to date, unless `create` is false; a server that is away is waited for by each insert.

        Raises SchemaRefused.
        """
        store = cls(url, layout or Layout(), create=create)
        try:
            await store.ask("SELECT 1")
        except StoreUnavailable as error:
            log.warning("%s; what is received stays in the write-ahead log until it does", error)
        except BaseException:
            await store.close()
            raise
        return store

    async def insert(self, table: str, blocks: Sequence[bytes], token: str = "") -> int:
        """As `Store.insert`."""
        return await self._over(table, lambda link: upkeep.insert(link, table, blocks, token))

    async def holds(self, table: str, blocks: Sequence[bytes]) -> bool:
        """As `Store.holds`."""
        return await self._over(table, lambda link: upkeep.holds(link, table, blocks))

    async def parts(self) -> list[Part]:
        """As `Store.parts`, of the node that is asked."""
        return await self._over("system.parts", lambda link: upkeep.parts(link, self._layout))

    async def drop(self, drop: Drop) -> None:
        """As `Store.drop`."""
        await self._over(drop.table, lambda link: upkeep.drop(link, self._layout, drop))

    async def ask(self, sql: str) -> list[dict[str, Any]]:
        """As `Store.ask`."""
        return await self._in_thread(lambda link: link.named_rows(sql))

    async def change(self, sql: str) -> None:
        """As `Store.change`, on every node where it alters a table."""
        for statement in self._layout.statements(sql):
            await self._over("otel", partial(Link.execute, sql=statement))

    async def close(self) -> None:
        """As `Store.close`."""
        self._closed = True
        await asyncio.to_thread(self._threads.shutdown)
        for link in self._idle:
            link.close()

    async def _over(self, table: str, work: Callable[[Link], T]) -> T:
        with about(table):
            return await self._in_thread(work)

    async def _in_thread(self, work: Callable[[Link], T]) -> T:
        if self._closed:
            raise StoreUnavailable("the store is closing")
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._done, work)

    def _done(self, work: Callable[[Link], T]) -> T:
        link = self._idle.pop() if self._idle else Link(self._url)
        try:
            self._make(link)
            return work(link)
        finally:
            self._idle.append(link)

    def _make(self, link: Link) -> None:
        """Once, before anything else: the tables. Raises StoreUnavailable, SchemaRefused, QueryFailed."""
        with self._making:
            if not self._made:
                made = migrate.apply(link.execute, link.rows, layout=self._layout)
                log.info("%s has every table; made now: %s", self._url, ", ".join(made) or "none")
                self._made = True
