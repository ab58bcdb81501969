"""Runs the one ClickHouse of this process over a data directory and hands out sessions on it.

In: a directory. Out: sessions, each for one thread at a time; several run in parallel.
Never: two processes on one directory, two directories in one process (both are limits of chDB).
"""

import fcntl
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote

from chdb.state.sqlitelike import Connection

from collector.disk import unwritable
from collector.store import commit
from collector.store.bounds import Bounds
from collector.store.config import engine_config
from collector.store.errors import QueryFailed, StoreUnavailable, query_failed
from collector.store.quoting import identifier, literal

_CODE: Final = re.compile(r"Code: (\d+)\. (?:DB::\w+: )?(.*)", re.DOTALL)
_REPEATED: Final = re.compile(r"\A(?:Code: \d+\. (?:DB::\w+: )?)+")
_VERSION: Final = re.compile(r"\s*\(version [^)]*\)")
_SETTING: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
UNKNOWN: Final = 1002
UNKNOWN_SETTING: Final = 115


@dataclass(frozen=True)
class Chunk:
    """A piece of a result: `rows` in it, and what was read from tables since the piece before."""

    data: bytes
    rows: int
    read_rows: int
    read_bytes: int


@dataclass(frozen=True)
class Classified:
    """What ClickHouse's own parser says a text does: READ_ONLY, MUTATING, CONTROL, ..., UNKNOWN."""

    kind: str
    statements: int
    only_own_database: bool


class Engine:
    """The embedded server; `directory` holds its data, its configuration and the lock."""

    def __init__(self, directory: Path, lock: int, address: str, bounds: Bounds) -> None:
        self.directory = directory
        self.bounds = bounds
        self._lock = lock
        self._address = address
        # chDB stops its server with its last connection, so one is kept for as long as we live.
        self._keeper = _connect(address)

    @classmethod
    def open(cls, directory: Path, bounds: Bounds) -> Self:
        """Starts ClickHouse over `directory`, which is created when missing. Raises StoreUnavailable."""
        if set(str(directory)) & set("?&="):
            raise StoreUnavailable(f"the data directory {directory} may not have ? & or = in its name")
        directory = directory.resolve()
        with _on_disk(directory):
            directory.mkdir(parents=True, exist_ok=True)
            lock = _lock(directory)
        try:
            config = directory / "clickhouse.xml"
            with _on_disk(directory):
                config.write_text(engine_config(config, bounds))
            address = f"{directory / 'clickhouse'}?config-file={quote(str(config))}"
            return cls(directory, lock, address, bounds)
        except BaseException:
            os.close(lock)
            raise

    def session(self) -> "Session":
        """A new session, about 0.1 ms. Raises StoreUnavailable."""
        return Session(_connect(self._address), self.directory / "clickhouse")

    def close(self) -> None:
        """Stops ClickHouse once the last session is closed, and releases the directory."""
        self._keeper.close()
        os.close(self._lock)


class Session:
    """One connection to the engine with its own database, settings and running query. Not thread-safe.

    `directory` is where its tables are, None when they are in memory.
    """

    def __init__(self, connection: Connection, directory: Path | None = None) -> None:
        self._connection = connection
        self._directory = directory
        self._stream: Any = None

    def use(self, database: str) -> None:
        """Raises QueryFailed (81) when there is no such database."""
        self.run(f"USE {identifier(database)}")

    def set(self, settings: Mapping[str, str]) -> None:
        """Raises QueryFailed when a setting is unknown or past its bound."""
        if not settings:
            return
        for name in settings:
            if not _SETTING.match(name):
                raise query_failed(UNKNOWN_SETTING, f"Unknown setting {name!r}. (UNKNOWN_SETTING)")
        self.run("SET " + ", ".join(f"{name} = {literal(value)}" for name, value in settings.items()))

    def run(self, sql: str, form: str = "TabSeparated", params: Mapping[str, str] | None = None) -> Chunk:
        """Runs any statement to its end and returns the whole result. Raises QueryFailed."""
        try:
            result = self._connection.query(sql, form, params=dict(params or {}))
        except Exception as error:
            raise failure(error) from None
        return _chunk(result)

    def start(self, sql: str, form: str, params: Mapping[str, str] | None = None) -> None:
        """Starts a SELECT whose result is then fetched block by block. Raises QueryFailed."""
        try:
            self._stream = self._connection.send_query(sql, form, params=dict(params or {}))
        except Exception as error:
            raise failure(error) from None

    def fetch(self) -> Chunk | None:
        """The next block of the started query, a whole document of its format; None at the end.

        Raises QueryFailed.
        """
        assert self._stream is not None
        try:
            result = self._stream.fetch()
        except Exception as error:
            raise failure(error) from None
        if result is None:
            return None
        return _chunk(result)

    def execute(self, sql: str) -> None:
        """Runs a statement for what it does. Raises QueryFailed."""
        self.run(sql)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """A small result; 64-bit numbers are text in it. Raises QueryFailed."""
        return [tuple(row) for row in json.loads(self.run(sql, "JSONCompact").data)["data"]]

    def append(self, table: str, blocks: Sequence[bytes], settings: Mapping[str, str]) -> int:
        """Inserts Native blocks into `otel.<table>`; returns rows written, views included. Raises QueryFailed."""
        self.set(settings)
        return self.insert(f"INSERT INTO otel.{identifier(table)}", "Native", blocks)

    def insert(self, statement: str, form: str, data: Iterable[bytes]) -> int:
        """Feeds data of a format to `INSERT INTO ...` as one insert; returns rows written, views included.

        Raises QueryFailed.
        """
        self._check_disk()
        before = commit.errors(self.rows)
        try:
            with self._connection.send_insert(statement, form) as insert:
                for part in data:
                    insert.append(part)
                written: int = insert.finish().rows_written
        except Exception as error:
            raise failure(error) from None
        commit.check(before, commit.errors(self.rows))
        self._check_disk()
        return written

    def classify(self, sql: str) -> Classified:
        """Parses `sql` without running it."""
        # Public only on chDB's raw connection: no wrapper of the package passes it on.
        report = self._connection._conn.classify_query(sql, "otel")
        return Classified(
            kind=report["query_class"].name,
            statements=report["statement_count"],
            only_own_database=report["writes_only_target_database"],
        )

    def _check_disk(self) -> None:
        if self._directory is not None:
            commit.writable(self._directory)

    def close(self) -> None:
        """Cancels what still streams and ends the session."""
        if self._stream is not None:
            self._stream.close()
        self._connection.close()


def _chunk(result: Any) -> Chunk:
    return Chunk(result.bytes(), result.rows_read(), result.storage_rows_read(), result.storage_bytes_read())


def failure(error: Exception) -> QueryFailed:
    """chDB's exception as ClickHouse's code and message."""
    found = _CODE.search(str(error))
    if found is None:
        return query_failed(UNKNOWN, str(error))
    message = _VERSION.sub("", _REPEATED.sub("", found[2])).strip()
    return query_failed(int(found[1]), message)


def _connect(address: str) -> Connection:
    try:
        return Connection(address)
    except Exception as error:
        raise StoreUnavailable(f"ClickHouse did not start over {address.partition('?')[0]}: {error}") from error


@contextmanager
def _on_disk(directory: Path) -> Iterator[None]:
    """Around what writes to the directory: a disk that does not take it becomes StoreUnavailable."""
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(unwritable("the data directory", directory, error, "--data")) from None


def _lock(directory: Path) -> int:
    """Takes the directory for this process. chDB locks it too, but can only say so on stderr."""
    lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(lock, 32, 0).decode(errors="replace").strip()
        os.close(lock)
        raise StoreUnavailable(
            f"{directory} is in use by another collector (process {holder or 'unknown'}); "
            "stop it or give this one another --data directory"
        ) from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock
