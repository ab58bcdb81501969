from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from collector.store.bounds import Bounds
from collector.store.client import Reader
from collector.store.errors import QueryFailed, QueryTooExpensive
from tests.world.processes import until
from tests.world.stores import ServedStore, served_store

SMALL = Bounds(seconds=1, rows=1000, result_bytes=100_000, memory=50 << 20, threads=1, at_once=1, wait_seconds=0.3)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedStore]:
    with served_store(tmp_path_factory.mktemp("small"), SMALL) as store:
        yield store


@pytest.mark.parametrize(
    ("sql", "code", "advice"),
    [
        ("SELECT number FROM numbers(1001)", 396, "Add LIMIT"),
        ("SELECT repeat('x', 1000 + number % 2) FROM numbers(900)", 396, "Add LIMIT"),
        ("SELECT count() FROM numbers(1000000000000)", 159, "roll-up"),
        ("SELECT length(repeat('x', 999999 + number % 2)) FROM numbers(1000)", 241, "Group by fewer keys"),
    ],
    ids=["rows", "bytes", "seconds", "memory"],
)
def test_each_bound_is_an_error_that_says_how_to_narrow(small: ServedStore, sql: str, code: int, advice: str) -> None:
    started = time.monotonic()
    with Reader(small.url, max_result_rows=10**9, max_execution_time=3600) as reader:
        with pytest.raises(QueryTooExpensive) as refusal:
            reader.rows(sql)
        assert refusal.value.code == code
        assert advice in refusal.value.message
        assert reader.rows("SELECT 1 AS one") == [{"one": 1}]
    assert time.monotonic() - started < 5


def test_one_query_too_many_waits_and_is_told_so(small: ServedStore) -> None:
    with small.client() as busy, Reader(small.url) as reader:
        busy.execute_with_progress("SELECT sleep(0.9)")
        until(lambda: _refused(reader) is not None, "the only place to be taken")
        refusal = _refused(reader)
        assert refusal is not None
        assert refusal.code == 202
        assert "try again" in refusal.message
        until(lambda: _refused(reader) is None, "a free place")


def _refused(reader: Reader) -> QueryFailed | None:
    try:
        reader.rows("SELECT 1")
    except QueryFailed as refusal:
        return refusal
    return None


def test_what_a_client_asks_for_is_lowered_to_the_bounds() -> None:
    asked = {"max_result_rows": "0", "max_threads": "64", "max_execution_time": "0.5", "join_algorithm": "hash"}
    assert SMALL.within(asked) == asked | {"max_result_rows": "1000", "max_threads": "1"}
    assert SMALL.within({"max_memory_usage": "-1"})["max_memory_usage"] == str(50 << 20)
    assert SMALL.within({"max_threads": "many"}) == {"max_threads": "many"}
