"""Asks a ClickHouse, ours or any other, over its native protocol and returns rows.

In: a `clickhouse://` address and SQL. Out: rows as dictionaries or tuples, times as aware UTC datetimes.
Never: two queries at a time on one Reader (threads take turns), a stack trace of the server in a message.
"""

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self
from zoneinfo import ZoneInfo

from clickhouse_driver import Client

from collector.store.speaking import speaking
from collector.store.url import StoreUrl

_TIME_TYPE = re.compile(r"(Nullable\()?DateTime(64\(\d\))?\)?\Z")


@dataclass(frozen=True)
class Table:
    """A whole result: `columns` as (name, ClickHouse type), `rows` as tuples in that order.

    `read_rows` and `read_bytes` are what ClickHouse went through for it, 0 where it does not say.
    """

    columns: list[tuple[str, str]]
    rows: list[tuple[Any, ...]]
    read_rows: int = 0
    read_bytes: int = 0


class Reader:
    """One connection to a store, opened at the first query and reopened when it was lost.

    Bounds hold for each query: `max_execution_time` in seconds, `max_result_rows` in rows,
    `max_memory_usage` in bytes. A result over its bound is an error unless `result_overflow_mode`
    is "break", which cuts it. `settings` are any other ClickHouse settings.

    A parameter is written `%(name)s` in the SQL; with parameters, a literal percent sign is `%%`.
    """

    def __init__(
        self,
        url: str,
        *,
        max_execution_time: float = 30,
        max_result_rows: int = 100_000,
        max_memory_usage: int = 2 << 30,
        result_overflow_mode: str = "throw",
        settings: Mapping[str, str | int | float] | None = None,
    ) -> None:
        """Raises ValueError when the address cannot be read."""
        self.url = StoreUrl.parse(url)
        self._turn = threading.Lock()
        self._client = Client(
            self.url.host,
            self.url.port,
            database=self.url.database,
            user=self.url.user,
            password=self.url.password,
            secure=self.url.secure,
            **self.url.files,
            client_name="whymesh",
            connect_timeout=5,
            # The server's own bound should speak first: its message says which one it was.
            send_receive_timeout=max_execution_time + 5,
            settings={
                "max_execution_time": max_execution_time,
                "max_result_rows": max_result_rows,
                "max_memory_usage": max_memory_usage,
                "result_overflow_mode": result_overflow_mode,
                # What we look for by an index is in few granules: known before anything is read, it is read sooner.
                "use_skip_indexes_on_data_read": 0,
                **self.url.settings,
                **(settings or {}),
            },
        )

    def table(self, sql: str, params: Mapping[str, Any] | None = None) -> Table:
        """Runs one SELECT. Raises StoreUnavailable, QueryFailed."""
        with self._turn:
            rows, columns = self._run(sql, params)
            progress = self._client.last_query.progress
            zone = ZoneInfo(self._client.connection.server_info.get_timezone())
        timed = [index for index, (_, kind) in enumerate(columns) if _TIME_TYPE.match(kind)]
        if timed:
            rows = [_with_zone(row, timed, zone) for row in rows]
        return Table(columns=columns, rows=rows, read_rows=progress.rows, read_bytes=progress.bytes)

    def rows(self, sql: str, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Runs one SELECT and names its values. Raises StoreUnavailable, QueryFailed."""
        table = self.table(sql, params)
        names = [name for name, _ in table.columns]
        return [dict(zip(names, row, strict=True)) for row in table.rows]

    def execute(self, sql: str, params: Mapping[str, Any] | None = None) -> None:
        """Runs one statement that returns nothing. Raises StoreUnavailable, QueryFailed."""
        with self._turn:
            self._run(sql, params)

    def close(self) -> None:
        """Ends the connection, after the query that is running in it, if any; a later query would open a new one."""
        with self._turn:
            self._client.disconnect()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, sql: str, params: Mapping[str, Any] | None) -> tuple[list[tuple[Any, ...]], list[tuple[str, str]]]:
        bound = None if params is None else {name: _literal(value) for name, value in params.items()}
        with speaking(self.url):
            answer = self._client.execute(sql, bound, with_column_types=True)
        return answer if isinstance(answer, tuple) else ([], [])


class _Instant:
    """A time as an SQL expression: the driver's own literals lose everything below a second."""

    def __init__(self, moment: datetime) -> None:
        if moment.tzinfo is None:
            raise ValueError(f"a time given to a query needs a time zone: {moment!r}")
        self._utc = moment.astimezone(UTC)

    def __str__(self) -> str:
        return f"toDateTime64('{self._utc:%Y-%m-%d %H:%M:%S.%f}', 6, 'UTC')"


def _literal(value: Any) -> Any:
    if isinstance(value, datetime):
        return _Instant(value)
    if isinstance(value, list | tuple):
        return type(value)(_literal(item) for item in value)
    return value


def _with_zone(row: tuple[Any, ...], timed: list[int], zone: ZoneInfo) -> tuple[Any, ...]:
    cells = list(row)
    for index in timed:
        if cells[index] is not None:
            cells[index] = cells[index].replace(tzinfo=zone).astimezone(UTC)
    return tuple(cells)
