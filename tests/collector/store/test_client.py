from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest

from collector.store.client import Reader
from collector.store.errors import AccessRefused, QueryFailed, QueryTooExpensive, StoreUnavailable
from collector.store.speaking import readable
from collector.store.url import StoreUrl
from tests.world.processes import free_port, until
from tests.world.stores import ServedStore


def test_an_address_is_read_into_its_parts_and_shown_without_its_password() -> None:
    url = StoreUrl.parse("clickhouse://a%40b:s%3Acret@ch.example:9001/otel")
    assert (url.host, url.port, url.user, url.password, url.database) == ("ch.example", 9001, "a@b", "s:cret", "otel")
    assert "cret" not in f"{url} {url!r}"


def test_an_address_has_defaults() -> None:
    url = StoreUrl.parse("clickhouse://127.0.0.1")
    assert (url.port, url.user, url.password, url.database, url.secure) == (9000, "default", "", "otel", False)
    assert StoreUrl.parse("clickhouses://db").port == 9440


@pytest.mark.parametrize(
    ("address", "says"),
    [("http://h", "clickhouse://"), ("clickhouse://", "host"), ("clickhouse://h:99999/", "port")],
)
def test_an_address_that_cannot_be_read_says_what_is_wrong(address: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Reader(address)


def test_messages_of_the_server_lose_stack_trace_and_version() -> None:
    raw = "DB::Exception: No such table. (UNKNOWN_TABLE) (version 26.9.2.1 (official build)). Stack trace:\n\n0. main"
    assert readable(raw) == "No such table. (UNKNOWN_TABLE)"


def test_rows_have_names_and_aware_times(served: ServedStore) -> None:
    sql = (
        "SELECT toDateTime('2026-01-02 03:04:05') AS t, toDateTime64('2026-01-02 03:04:05.678', 3) AS f, "
        "NULL::Nullable(DateTime) AS n"
    )
    with Reader(served.url) as reader:
        row = reader.rows(sql)[0]
    assert row == {
        "t": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "f": datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC),
        "n": None,
    }


def test_an_empty_result_still_has_its_columns(served: ServedStore) -> None:
    with Reader(served.url) as reader:
        table = reader.table("SELECT 'x%' AS name, toUInt64(1) AS calls WHERE 0")
    assert (table.columns, table.rows) == ([("name", "String"), ("calls", "UInt64")], [])


def test_parameters_keep_their_value_exactly(served: ServedStore) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=timezone(timedelta(hours=2)))
    values = {"time": moment, "text": "it's \\ 100%\n", "list": [1, 2], "times": [moment]}
    with Reader(served.url) as reader:
        row = reader.rows(
            "SELECT %(time)s AS time, %(text)s AS text, %(list)s AS list, %(times)s[1] = %(time)s AS same", values
        )[0]
    assert (row["time"], row["text"], row["list"], row["same"]) == (moment, values["text"], [1, 2], 1)


def test_a_time_without_zone_is_refused_as_a_parameter(served: ServedStore) -> None:
    with Reader(served.url) as reader, pytest.raises(ValueError, match="time zone"):
        reader.rows("SELECT %(t)s", {"t": datetime(2026, 1, 1)})


def test_nobody_at_the_address_is_unavailable() -> None:
    with (
        Reader(f"clickhouse://127.0.0.1:{free_port()}") as reader,
        pytest.raises(StoreUnavailable, match="does not answer"),
    ):
        reader.rows("SELECT 1")


def test_errors_carry_the_code_and_one_readable_message(served: ServedStore) -> None:
    with Reader(served.url) as reader, pytest.raises(QueryFailed) as failure:
        reader.rows("SELECT * FROM nowhere")
    assert failure.value.code == 60
    assert "nowhere" in failure.value.message
    assert "Stack trace" not in str(failure.value)


def test_a_reader_goes_on_after_an_error(served: ServedStore) -> None:
    with Reader(served.url) as reader:
        with pytest.raises(QueryFailed):
            reader.rows("SELECT nope")
        assert reader.rows("SELECT 1 AS one") == [{"one": 1}]


def test_a_state_that_the_driver_cannot_read_says_how_to_finish_it(served: ServedStore) -> None:
    with Reader(served.url) as reader, pytest.raises(QueryFailed, match="quantilesDDMerge"):
        reader.rows("SELECT quantilesDDState(0.01, 0.5)(number) FROM numbers(9)")


def test_readers_bounds_are_errors_that_say_how_to_narrow(served: ServedStore) -> None:
    with (
        Reader(served.url, max_result_rows=10) as reader,
        pytest.raises(QueryTooExpensive, match="Add LIMIT") as failure,
    ):
        reader.rows("SELECT number FROM numbers(100000)")
    assert failure.value.code == 396


def test_a_result_may_be_cut_at_its_bound_instead(served: ServedStore) -> None:
    with Reader(
        served.url, max_result_rows=10, result_overflow_mode="break", settings={"max_block_size": 10}
    ) as reader:
        assert 10 <= len(reader.rows("SELECT number FROM numbers(100000)")) < 1000


def test_closing_waits_for_the_query_that_another_thread_runs(served: ServedStore) -> None:
    found: list[int] = []

    def query(reader: Reader) -> None:
        found.extend(row["n"] for row in reader.rows("SELECT sum(sleepEachRow(0.1)) AS n FROM numbers(10)"))

    with Reader(served.url) as reader, Reader(served.url) as observer:
        running = threading.Thread(target=query, args=(reader,))
        running.start()
        mine = "SELECT 1 FROM system.processes WHERE query LIKE '%sleepEachRow(0.1)%' AND query NOT LIKE '%system%'"
        until(lambda: len(observer.rows(mine)) > 0, "the query to run")
        reader.close()
        running.join()
    assert found == [0]


def test_a_slow_query_ends_at_its_bound(served: ServedStore) -> None:
    with Reader(served.url, max_execution_time=0.5) as reader, pytest.raises(QueryTooExpensive) as failure:
        reader.rows("SELECT count() FROM numbers(1000000000000)")
    assert failure.value.code == 159


def test_only_the_account_with_the_right_inserts(served: ServedStore) -> None:
    opened = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    insert = "INSERT INTO mesh_alerts (Time, IncidentId, Target) VALUES (%(t)s, %(id)s, 'hook')"
    with Reader(served.url) as reader, pytest.raises(AccessRefused, match="may not insert"):
        reader.execute(insert, {"t": opened, "id": "i1"})
    with Reader(served.rootcause_url) as writer:
        writer.execute(insert, {"t": opened, "id": "i1"})
        assert writer.rows("SELECT Time, IncidentId FROM mesh_alerts") == [{"Time": opened, "IncidentId": "i1"}]
        with pytest.raises(AccessRefused, match=r"otel\.mesh_edges"):
            writer.execute("INSERT INTO mesh_edges (Source) VALUES ('x')")
