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
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self, TypeVar

import chdb

from collector.keep import KINDS, Drop, Part
from collector.store import errors, migrate
from collector.store.bounds import Bounds
from collector.store.engine import Engine, Session, identifier, literal
from collector.store.errors import QueryFailed, StoreRejected, StoreUnavailable
from collector.store.outward import Outward
from collector.store.running import Request, Running

_LOOKED_FOR: Final = "otel.mesh_looked_for"
_NUMERIC: Final = re.compile(r"U?Int\d+|Bool|Seconds|Milliseconds|MaxThreads|NonZeroUInt64")
# A block whose columns are not the table's is an error, not a row of defaults.
_STRICT: Final = {"input_format_skip_unknown_fields": "0"}
# With a token: stored once, in the table and in each table that a view feeds from it. Without: equal rows are rows.
_ONCE: Final = {"insert_deduplicate": "1", "deduplicate_blocks_in_dependent_materialized_views": "1"}
_ALWAYS: Final = {"insert_deduplicate": "0"}


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
    def open(cls, path: str | Path, bounds: Bounds | None = None) -> Self:
        """Starts ClickHouse over the directory `path` and brings its tables up to date.

        Raises StoreUnavailable when the directory is in use or unusable, SchemaRefused.
        """
        engine = Engine.open(Path(path), bounds or Bounds())
        try:
            session = engine.session()
            try:
                migrate.apply(lambda sql: _do(session, sql), lambda sql: _pairs(session, sql))
                outward = Outward.of(session)
                settings = dict(_pairs(session, "SELECT name, type FROM system.settings"))
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
        """Appends Native blocks to `otel.<table>` as one INSERT: at most one part per partition.

        With a `token`, an insert that already happened under it is not repeated. Returns rows written,
        those of materialized views included. Raises StoreUnavailable (try again), StoreRejected (never).
        """
        return await self._in_insert_thread(table, lambda: self._insert(table, blocks, token))

    async def holds(self, table: str, blocks: Sequence[bytes]) -> bool:
        """Whether any row of these Native blocks is in `otel.<table>`. Raises StoreUnavailable, StoreRejected."""
        return await self._in_insert_thread(table, lambda: self._holds(table, blocks))

    async def parts(self) -> list[Part]:
        """The active parts of the tables that are kept by days. Raises StoreUnavailable, StoreRejected."""
        return await self._in_insert_thread("system.parts", self._parts)

    async def drop(self, drop: Drop) -> None:
        """Drops a day of a table, or one part of it. Raises StoreUnavailable, StoreRejected."""
        what = f"PART {literal(drop.part)}" if drop.part else f"PARTITION ID {literal(drop.partition)}"
        sql = f"ALTER TABLE otel.{identifier(drop.table)} DROP {what}"
        await self._in_insert_thread(drop.table, lambda: self._run(sql))

    async def change(self, sql: str) -> None:
        """Runs a statement of the collector's own. Raises StoreUnavailable, StoreRejected."""
        await self._in_insert_thread("otel", lambda: self._run(sql))

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

    async def _in_insert_thread(self, table: str, work: Callable[[], T]) -> T:
        if self._closed:
            raise StoreUnavailable("the store is closing")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._inserts, work)
        except QueryFailed as error:
            if error.code in errors.NEVER:
                raise StoreRejected(f"{table}: {error}") from error
            raise StoreUnavailable(f"{table}: {error}") from error

    def _run(self, sql: str) -> bytes:
        session = self._engine.session()
        try:
            return session.run(sql, "JSONCompact").data
        finally:
            session.close()

    def _parts(self) -> list[Part]:
        sql = "SELECT table, partition_id, name, max_block_number, bytes_on_disk FROM system.parts"
        found = json.loads(self._run(f"{sql} WHERE database = 'otel' AND active"))["data"]
        return [
            Part(table, datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC).date(), name, int(order), int(size))
            for table, day, name, order, size in found
            if table in KINDS
        ]

    def _holds(self, table: str, blocks: Sequence[bytes]) -> bool:
        """Compares whole rows, in the partitions and at the times of the blocks."""
        name, time = identifier(table), "TimeUnix" if table.startswith("otel_metrics_") else "Timestamp"
        session = self._engine.session()
        try:
            session.run(f"CREATE OR REPLACE TABLE {_LOOKED_FOR} AS otel.{name} ENGINE = Memory")
            session.insert(f"INSERT INTO {_LOOKED_FOR}", "Native", blocks)
            found = session.run(
                f"SELECT count() FROM otel.{name} WHERE {time} >= (SELECT min({time}) FROM {_LOOKED_FOR})"
                f" AND {time} <= (SELECT max({time}) FROM {_LOOKED_FOR})"
                f" AND cityHash64(*) IN (SELECT cityHash64(*) FROM {_LOOKED_FOR})"
            )
            session.run(f"DROP TABLE {_LOOKED_FOR}")
            return int(found.data) > 0
        finally:
            session.close()

    def _insert(self, table: str, blocks: Sequence[bytes], token: str) -> int:
        session = self._engine.session()
        try:
            session.set(_STRICT | (_ONCE | {"insert_deduplication_token": token} if token else _ALWAYS))
            return session.insert(f"INSERT INTO otel.{identifier(table)}", "Native", blocks)
        finally:
            session.close()


def _do(session: Session, sql: str) -> None:
    session.run(sql)


def _pairs(session: Session, sql: str) -> list[tuple[str, str]]:
    return [(first, second) for first, second in json.loads(session.run(sql, "JSONCompact").data)["data"]]
