"""What either home of the store does with blocks, rows and parts: one suite, both homes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from collector.keep.expiry import Drop
from collector.store.client import Reader
from collector.store.errors import QueryFailed, StoreRejected, StoreUnavailable
from tests.collector.store.spans import call_block, mesh_block, tunnel_block
from tests.world.homes import Home
from tests.world.homes import home as opened_home


@pytest.fixture(scope="module", params=["embedded", "server"])
def home(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    with opened_home(request.param, tmp_path_factory.mktemp("home")) as opened:
        yield opened


def test_blocks_become_spans_and_every_roll_up(home: Home) -> None:
    blocks = [mesh_block(30, failed=3), mesh_block(10, source="")]
    assert home.call(home.store.insert("otel_traces", blocks)) > 40
    with Reader(home.url) as reader:
        assert reader.rows("SELECT count() AS spans FROM otel_traces") == [{"spans": 40}]
        assert reader.rows("SELECT count() AS ids FROM otel_traces_trace_id_ts") == [{"ids": 40}]
        edges = reader.rows(
            "SELECT Source, sum(Calls) AS calls, sum(Errors) AS errors, "
            "quantilesDDMerge(0.01, 0.5, 0.9, 0.95, 0.99)(Durations)[1] / 1e6 AS p50 "
            "FROM mesh_edges GROUP BY Source ORDER BY Source"
        )
        routes = reader.rows(
            "SELECT Entry, sum(Calls) AS calls, sum(OwnCalls) AS own FROM mesh_routes GROUP BY Entry ORDER BY Entry"
        )
    assert [(row["Source"], row["calls"], row["errors"]) for row in edges] == [("", 10, 0), ("front", 30, 3)]
    assert edges[1]["p50"] == pytest.approx(15.5, rel=0.05)
    assert routes == [{"Entry": 0, "calls": 30, "own": 30}, {"Entry": 1, "calls": 10, "own": 10}]


def test_of_grpc_calls_those_fail_that_are_the_servers_fault(home: Home) -> None:
    block = call_block("OK", "NOT_FOUND", "CANCELLED", "UNAVAILABLE", "UNKNOWN", "DEADLINE_EXCEEDED")
    home.call(home.store.insert("otel_traces", [block]))
    with Reader(home.url) as reader:
        edges = "SELECT sum(Calls) AS calls, sum(Errors) AS errors FROM mesh_edges WHERE Destination = 'cart'"
        assert reader.rows(edges) == [{"calls": 6, "errors": 3}]


def test_what_lasts_as_long_as_both_sides_like_is_not_slow(home: Home) -> None:
    home.call(home.store.insert("otel_traces", [tunnel_block("db")]))
    with Reader(home.url) as reader:
        edges = reader.rows(
            "SELECT Route, Reporter, sum(DurationSum) AS ns FROM mesh_edges WHERE Destination = 'db'"
            " GROUP BY Route, Reporter ORDER BY Route, Reporter"
        )
        routes = reader.rows(
            "SELECT Route, Entry, sum(DurationSum) AS ns FROM mesh_routes WHERE Service = 'db'"
            " GROUP BY Route, Entry ORDER BY Route"
        )
    websocket = {"Route": "/live", "ns": 3_000_000}
    tunnel = {"Route": "tcp", "ns": 2_000_000}
    assert edges == [
        {**websocket, "Reporter": "destination"},
        {**websocket, "Reporter": "source"},
        {**tunnel, "Reporter": "source"},
    ], "of a tunnel only the caller's end knows who calls"
    assert routes == [{**websocket, "Entry": 1}, {**tunnel, "Entry": 0}]


def test_one_insert_of_many_blocks_is_one_part(home: Home) -> None:
    home.call(home.store.insert("otel_traces", [mesh_block(5, destination="parts") for _ in range(8)]))
    with Reader(home.url) as reader:
        parts = reader.rows(
            "SELECT count() AS n FROM (SELECT DISTINCT _part FROM otel_traces WHERE ServiceName = 'parts')"
        )
    assert parts == [{"n": 1}]


def test_a_batch_under_one_token_is_stored_once_everywhere(home: Home) -> None:
    block = mesh_block(7, destination="once")
    for token in ("batch-1", "batch-1", "batch-2"):
        home.call(home.store.insert("otel_traces", [block], token))
    home.call(home.store.insert("otel_traces", [block]))
    with Reader(home.url) as reader:
        spans = reader.rows("SELECT count() AS n FROM otel_traces WHERE ServiceName = 'once'")
        calls = reader.rows("SELECT sum(Calls) AS n FROM mesh_edges WHERE Destination = 'once'")
    assert spans == calls == [{"n": 21}]


@pytest.mark.parametrize(
    "block",
    [b"\x01\x01\x05Wrong\x06UInt64" + bytes(8), b"\x01\x01\x09Timestamp\x06String\x03abc", b"\xff\xff\xff"],
    ids=["unknown column", "wrong type", "not a block"],
)
def test_a_block_that_never_fits_is_rejected_for_good(home: Home, block: bytes) -> None:
    with pytest.raises(StoreRejected, match="otel_traces: Code: "):
        home.call(home.store.insert("otel_traces", [block]))


def test_a_table_that_does_not_exist_is_waited_for(home: Home) -> None:
    with pytest.raises(StoreUnavailable, match="nowhere"):
        home.call(home.store.insert("nowhere", [mesh_block(1)]))


def test_rows_are_found_again_only_when_they_are_there(home: Home) -> None:
    there, elsewhere = mesh_block(4, destination="found"), mesh_block(4, destination="never-stored")
    home.call(home.store.insert("otel_traces", [there]))
    assert home.call(home.store.holds("otel_traces", [there]))
    assert not home.call(home.store.holds("otel_traces", [elsewhere]))
    left = home.call(home.store.ask("SELECT name FROM system.tables WHERE name LIKE 'mesh_looked_for%'"))
    assert left == [], "what was looked for is not left in the store"


def test_parts_are_told_and_dropped_by_day(home: Home) -> None:
    home.call(home.store.insert("otel_traces", [mesh_block(3, destination="dropped")]))
    parts = home.call(home.store.parts())
    tables = {part.table for part in parts}
    assert {"otel_traces", "otel_traces_trace_id_ts", "mesh_edges", "mesh_routes"} <= tables
    day = next(part for part in parts if part.table == "mesh_edges")
    assert day.day <= datetime.now(UTC).date()
    assert day.size > 0
    home.call(home.store.drop(Drop("mesh_edges", day.partition, "", 0, "age")))
    assert home.call(home.store.ask("SELECT count() AS n FROM otel.mesh_edges")) == [{"n": 0}]
    (one, *_) = [part for part in home.call(home.store.parts()) if part.table == "otel_traces"]
    home.call(home.store.drop(Drop("otel_traces", one.partition, one.name, 0, "disk")))
    assert one not in home.call(home.store.parts())


def test_a_question_has_named_rows_or_the_stores_own_error(home: Home) -> None:
    assert home.call(home.store.ask("SELECT toUInt64(7) AS n, 'a' AS s")) == [{"n": 7, "s": "a"}]
    assert home.call(home.store.ask("SELECT toDate('2026-01-02') AS day")) == [{"day": "2026-01-02"}]
    with pytest.raises(QueryFailed, match="Code: 60"):
        home.call(home.store.ask("SELECT * FROM otel.nowhere"))


def test_a_change_is_made(home: Home) -> None:
    home.call(home.store.change("INSERT INTO otel.mesh_pins (TraceId, By) SELECT 'abc', 'me'"))
    assert home.call(home.store.ask("SELECT By AS who FROM otel.mesh_pins")) == [{"who": "me"}]
    with pytest.raises(StoreUnavailable, match="nowhere"):
        home.call(home.store.change("ALTER TABLE otel.nowhere DELETE WHERE 1"))
