"""Keeps the tables in a ClickHouse inside this process: Native blocks in, results out.

In: Native blocks for a table, statements of readers. Out: durable rows, results block by block.
Never: work of ClickHouse on the event loop, a reader's statement that writes or reaches outside.
"""

import asyncio
import itertools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import chdb

from collector.keep.expiry import Drop, Part
from collector.store import errors, migrate, upkeep
from collector.store.bounds import Bounds
from collector.store.engine import Engine, Session
from collector.store.errors import StoreUnavailable, about
from collector.store.layout import Layout
from collector.store.migrate import ONE_NODE
from collector.store.outward import Outward
from collector.store.running import Request, Running

_NUMERIC: Final = re.compile(r"U?Int\d+|Bool|Seconds|Milliseconds|MaxThreads|NonZeroUInt64")

T = TypeVar("T")


class EmbeddedStore:
    """The store of one machine. Open it once in a process; its methods belong to one event loop."""

    def __init__(self, engine: Engine, outward: Outward, settings: Mapping[str, str]) -> None:
        self._engine = engine
        self._outward = outward
        # Names of the engine's settings with their types; those of numbers are written as varints by old clients.
        self.settings: Final = settings
        self.numeric_settings: Final = frozenset(name for name, kind in settings.items() if _NUMERIC.match(kind))
        self._inserts = ThreadPoolExecutor(2, thread_name_prefix="store-insert")
        self._queries = ThreadPoolExecutor(engine.bounds.at_once, thread_name_prefix="store-query")
        self._slots = asyncio.Semaphore(engine.bounds.at_once)
        self._running: set[Running] = set()
        self._names = itertools.count(1)
        self._closed = False

    @classmethod
    def open(cls, path: str | Path, bounds: Bounds | None = None, layout: Layout = ONE_NODE) -> Self:
        """Starts ClickHouse over the directory `path` and brings its tables up to date.

        Raises StoreUnavailable when the directory is in use or unusable, SchemaRefused.
        """
        engine = Engine.open(Path(path), bounds or Bounds())
        try:
            session = engine.session()
            try:
                migrate.apply(session.execute, session.rows, layout=layout)
                outward = Outward.of(session)
                settings = dict(session.rows("SELECT name, type FROM system.settings"))
            finally:
                session.close()
        except BaseException:
            engine.close()
            raise
        return cls(engine, outward, settings)

    @property
    def version(self) -> tuple[int, int, int]:
        """Major, minor and patch version of the ClickHouse inside."""
        major, minor, patch = chdb.engine_version.split(".")[:3]
        return int(major), int(minor), int(patch)

    async def insert(self, table: str, blocks: Sequence[bytes], token: str = "") -> int:
        """As `Store.insert`."""
        return await self._in_session(table, lambda session: upkeep.insert(session, table, blocks, token))

    async def holds(self, table: str, blocks: Sequence[bytes]) -> bool:
        """As `Store.holds`."""
        return await self._in_session(table, lambda session: upkeep.holds(session, table, blocks))

    async def parts(self) -> list[Part]:
        """As `Store.parts`."""
        return await self._in_session("system.parts", lambda session: upkeep.parts(session, ONE_NODE))

    async def drop(self, drop: Drop) -> None:
        """As `Store.drop`."""
        await self._in_session(drop.table, lambda session: upkeep.drop(session, ONE_NODE, drop))

    async def ask(self, sql: str) -> list[dict[str, Any]]:
        """As `Store.ask`, within the bounds of every query."""
        running = await self.start(
            Request(sql, format="JSONEachRow", settings={"output_format_json_quote_64bit_integers": "0"})
        )
        try:
            rows: list[dict[str, Any]] = []
            while (chunk := await running.next()) is not None:
                rows += [json.loads(line) for line in chunk.data.splitlines() if line]
            return rows
        finally:
            await running.close()

    async def change(self, sql: str) -> None:
        """As `Store.change`."""
        await self._in_session("otel", lambda session: session.execute(sql))

    async def start(self, request: Request) -> Running:
        """Starts a statement of a client; the caller closes what it gets.

        Raises QueryFailed when it is refused, fails at once, or no slot is free in time.
        """
        if self._closed:
            raise StoreUnavailable("the store is closing")
        try:
            await asyncio.wait_for(self._slots.acquire(), self._engine.bounds.wait_seconds)
        except TimeoutError:
            raise errors.query_failed(
                errors.TOO_MANY_SIMULTANEOUS_QUERIES,
                f"{self._engine.bounds.at_once} queries run already; try again. (TOO_MANY_SIMULTANEOUS_QUERIES)",
            ) from None
        running = Running(self._engine, self._outward, self._queries, request, f"q{next(self._names)}", self._finished)
        self._running.add(running)
        try:
            await running.begin()
        except BaseException:
            await running.close()
            raise
        return running

    async def close(self) -> None:
        """Cancels what runs, waits for inserts under way, stops ClickHouse and frees the directory."""
        if self._closed:
            return
        self._closed = True
        for running in list(self._running):
            await running.close()
        for pool in (self._inserts, self._queries):
            await asyncio.to_thread(pool.shutdown)
        await asyncio.to_thread(self._engine.close)

    def _finished(self, running: Running) -> None:
        self._running.discard(running)
        self._slots.release()

    async def _in_session(self, table: str, work: Callable[[Session], T]) -> T:
        if self._closed:
            raise StoreUnavailable("the store is closing")
        with about(table):
            return await asyncio.get_running_loop().run_in_executor(self._inserts, self._done, work)

    def _done(self, work: Callable[[Session], T]) -> T:
        session = self._engine.session()
        try:
            return work(session)
        finally:
            session.close()
