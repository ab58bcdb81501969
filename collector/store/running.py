"""Runs one statement of a client in threads of its own and hands the result over block by block.

In: a request. Out: chunks of its format, pulled by whoever sends them on, so that a slow reader slows the
query instead of filling memory. Never: a statement that goes on after its client went away.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from collector.store.bounds import advice
from collector.store.columns import Columns, described, headed, leading, table_columns
from collector.store.engine import Chunk, Engine, Session
from collector.store.errors import ACCESS_DENIED, READONLY, QueryFailed, query_failed
from collector.store.outward import Outward
from collector.store.quoting import identifier
from collector.store.rights import READS, Rights
from collector.store.statement import Kind, Statement, examine

T = TypeVar("T")

# Formats without a head and a tail: blocks of them may be sent one after the other. The engine renders
# every block of the others as a document of its own, so those are rendered whole, within the bounds.
STREAMABLE: Final = frozenset(
    {
        "Native", "RowBinary", "TabSeparated", "TSV", "TabSeparatedRaw", "TSVRaw", "Raw", "CSV", "JSONEachRow",
        "JSONLines", "NDJSON", "JSONCompactEachRow", "JSONStringsEachRow", "LineAsString", "Null",
    }
)  # fmt: skip
# Settings that a client may send and the door decides: it sets its own, or runs the query itself.
_NOT_THEIRS: Final = frozenset({"readonly", "run_query_in_background"})
_NOT_STREAMED: Final = "Streaming query is not supported"
_KILL_AGAIN_SECONDS: Final = 0.2


@dataclass(frozen=True)
class Progress:
    """How far a statement is: rows and bytes read, rows it will read as far as known, and since when it runs."""

    rows: int
    bytes: int
    rows_to_read: int
    elapsed_ns: int


@dataclass(frozen=True)
class Request:
    """A statement as a client sent it, with what its connection holds.

    `sets` are SET statements from before; `rights` are what its account may change;
    `native` asks for Native blocks whatever FORMAT and INTO OUTFILE say (they are the client's business
    there), and for the result's columns. `watch` is told every `watch_seconds` how far the statement is, until there is
    the beginning of a result.
    """

    sql: str
    database: str = "otel"
    format: str = "Native"
    settings: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    sets: tuple[str, ...] = ()
    rights: Rights = READS
    native: bool = False
    may_change: bool = True
    watch: Callable[[Progress], None] | None = None
    watch_seconds: float = 0.1


class Running:
    """A statement under way: `next()` until None, then `close()`; `close()` earlier cancels it.

    Known once it began: `statement`, `format`, and `columns` where the request asked for them or where an
    INSERT waits for its rows (`awaits_rows`), which are then given to `feed()`.
    """

    statement: Statement
    format: str
    columns: Columns
    awaits_rows = False

    def __init__(
        self,
        engine: Engine,
        outward: Outward,
        pool: ThreadPoolExecutor,
        request: Request,
        name: str,
        done: "Callable[[Running], None]",
    ) -> None:
        self._engine = engine
        self._outward = outward
        self._pool = pool
        self._request = request
        self._done = done
        # A comment that ends the text: KILL QUERY finds it, and no setting of the client can change it.
        self._mark = f"\n/*{name}*/"
        self._session: Session | None = None
        self.columns = []
        self._first: Chunk | None = None
        self._streaming = False
        self._work: asyncio.Future[Any] | None = None
        self._closing: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Parses, checks and starts the statement; errors that can be known at once are raised here."""
        async with self._watched():
            await self._in_thread(self._begin)

    async def next(self) -> Chunk | None:
        """The next chunk, None at the end. Raises QueryFailed."""
        first, self._first = self._first, None
        if first is not None:
            return first
        if not self._streaming:
            return None
        chunk = await self._in_thread(self._fetch)
        self._streaming = chunk is not None
        return chunk

    async def feed(self, rows: list[bytes]) -> int:
        """Inserts rows, given in `format`, into the table this INSERT names; returns rows written.

        Raises QueryFailed.
        """
        return await self._in_thread(lambda: self._feed(rows))

    async def close(self) -> None:
        """Ends the statement, killing it when it still works; every caller waits for that end."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        # A caller that is itself cancelled must not leave a session open: the engine would never stop.
        await asyncio.shield(self._closing)

    @contextlib.asynccontextmanager
    async def _watched(self) -> AsyncIterator[None]:
        if self._request.watch is None:
            yield
            return
        task = asyncio.create_task(self._tell(self._request.watch), name="progress")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _tell(self, watch: Callable[[Progress], None]) -> None:
        while True:
            await asyncio.sleep(self._request.watch_seconds)
            looking = asyncio.get_running_loop().run_in_executor(None, self._progress)
            try:
                progress = await asyncio.shield(looking)
            finally:  # its session is closed before the engine may be
                await asyncio.wait({looking})
            if progress is not None:
                watch(progress)

    async def _close(self) -> None:
        loop = asyncio.get_running_loop()
        while self._work is not None and not self._work.done():
            await loop.run_in_executor(None, self._kill)
            await asyncio.wait([self._work], timeout=_KILL_AGAIN_SECONDS)
        if self._work is not None and not self._work.cancelled():
            self._work.exception()  # told to whoever still waited; nobody does after a kill
        if self._session is not None:
            await loop.run_in_executor(self._pool, self._session.close)
        self._done(self)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        future = asyncio.get_running_loop().run_in_executor(self._pool, work)
        self._work = future
        try:
            # A cancelled client must not leave a thread working on a session that is being closed.
            return await asyncio.shield(future)
        except QueryFailed as error:
            message = f"{error.message.replace(self._mark, '')} {advice(error.code)}".strip()
            raise query_failed(error.code, message) from None

    def _begin(self) -> None:
        request = self._request
        session = self._session = self._opened()
        self.statement = examine(session, self._outward, request.sql, native=request.native, owner=request.rights.owner)
        self.format = "Native" if request.native else self.statement.format or request.format
        changes = self.statement.kind in (Kind.INSERT, Kind.DEFINE)
        self._settle(session, {} if changes else {"readonly": "2"})
        if self.statement.kind is Kind.INSERT:
            self._insert(session)
        elif self.statement.kind is Kind.DEFINE:
            self._refuse_get()
            session.run(self.statement.text)
        elif self.statement.kind is Kind.READ:
            self._read(session)
        else:
            session.run(self.statement.text)

    def _opened(self) -> Session:
        session = self._engine.session()
        if self._request.database:
            session.use(self._request.database)
        return session

    def _settle(self, session: Session, more: Mapping[str, str]) -> None:
        """Our bounds, then what the client set before and with this statement; each statement to set takes its time."""
        request, bounds = self._request, self._engine.bounds
        ours = bounds.settings()
        if request.sets:
            session.set(ours)
            ours = {}
        for statement in request.sets:
            session.run(statement)
        asked = {name: value for name, value in request.settings.items() if name not in _NOT_THEIRS}
        session.set({**ours, **bounds.within(asked), **more})

    def _read(self, session: Session) -> None:
        text = self.statement.text + self._mark
        params = self._request.params
        if self.format in STREAMABLE:
            try:
                session.start(text, self.format, params)
                self._streaming = True
                self._first = session.fetch()
            except QueryFailed as error:
                if _NOT_STREAMED not in error.message:
                    raise
                self._streaming = False
            else:
                if self._request.native:
                    self.columns = leading(self._first.data if self._first else b"") or self._described()
                return
        if self._request.native:
            self.columns = self._described() or headed(session, text, params)
        self._first = session.run(text, self.format, params)

    def _described(self) -> Columns:
        """In a session of its own, for the one of the statement may be in the middle of its result."""
        with contextlib.closing(self._opened()) as session:
            self._settle(session, {"readonly": "2"})
            return described(session, self.statement.text, self._request.params, self._mark)

    def _insert(self, session: Session) -> None:
        statement = self.statement
        database, table = statement.table
        self._refuse_get()
        if (database or self._request.database) != "otel" or not self._request.rights.insert_into(table):
            raise query_failed(
                ACCESS_DENIED, f"this account may not insert into {database or 'otel'}.{table}. (ACCESS_DENIED)"
            )
        if statement.awaits_data:
            self.awaits_rows = True
            self.columns = table_columns(session, f"otel.{identifier(table)}", statement.columns)
        else:
            session.run(statement.text, params=self._request.params)

    def _refuse_get(self) -> None:
        if not self._request.may_change:
            raise query_failed(READONLY, "GET only reads; send a statement that changes something by POST. (READONLY)")

    def _feed(self, rows: list[bytes]) -> int:
        session = self._ready()
        if self.format == "Values":
            self._outward.refuse_rows(session, b"".join(rows).decode(errors="replace"))
        table = f"otel.{identifier(self.statement.table[1])}"
        return session.insert(f"INSERT INTO {table} {self.statement.columns}", self.format, rows)

    def _fetch(self) -> Chunk | None:
        return self._ready().fetch()

    def _ready(self) -> Session:
        assert self._session is not None
        return self._session

    def _progress(self) -> Progress | None:
        with contextlib.closing(self._engine.session()) as session:
            found = session.rows(
                "SELECT read_rows, read_bytes, total_rows_approx, toUInt64(elapsed * 1e9) FROM system.processes "
                f"WHERE endsWith(query, '{self._mark.strip()}')"
            )
        return Progress(*map(int, found[0])) if found else None

    def _kill(self) -> None:
        with contextlib.closing(self._engine.session()) as session:
            session.run(f"KILL QUERY WHERE endsWith(query, '{self._mark.strip()}') ASYNC")
