"""Runs what people type on the SQL page, within bounds.

In: the store's address, SQL, the most rows to show. Out: an Answer, or the store's error as a value.
Never: more rows, seconds or memory than the bounds, whatever the query says.
"""

import time
from dataclasses import dataclass, replace

from collector.store.client import Reader, Table
from collector.store.errors import QueryFailed, StoreError

SECONDS = 10
MEMORY_BYTES = 1 << 30


@dataclass(frozen=True)
class Answer:
    """A result, `cut` when there was more of it. `estimate` is what ClickHouse expected to read, '' when it cannot
    tell before it runs."""

    table: Table
    seconds: float
    cut: bool
    estimate: str


def attempt(url: str, sql: str, bound: int) -> Answer | StoreError:
    """The result, or why there is none."""
    try:
        return _run(url, sql, bound)
    except StoreError as error:
        return error


def _run(url: str, sql: str, bound: int) -> Answer:
    with Reader(
        url,
        max_execution_time=SECONDS,
        # One more than is shown tells a result that was cut from one that just fits.
        max_result_rows=bound + 1,
        max_memory_usage=MEMORY_BYTES,
        result_overflow_mode="break",
    ) as reader:
        estimate = _estimated(reader, sql)
        begin = time.perf_counter()
        table = reader.table(sql)
        seconds = time.perf_counter() - begin
    return Answer(replace(table, rows=table.rows[:bound]), seconds, len(table.rows) > bound, estimate)


def _estimated(reader: Reader, sql: str) -> str:
    try:
        expected = reader.rows(f"EXPLAIN ESTIMATE {sql}")
    except QueryFailed:
        return ""
    return ", ".join(f"{row['rows']:,} rows of {row['table']}" for row in expected)
