from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from collector.store.client import Reader
from collector.store.errors import StoreRejected, StoreUnavailable
from tests.collector.store.spans import call_block, mesh_block, tunnel_block
from tests.world.stores import ServedStore, StoreProcess

OPEN = "import sys; from collector.store.embedded import EmbeddedStore as S; S.open(sys.argv[1])"


def test_blocks_become_spans_and_every_roll_up(served: ServedStore) -> None:
    blocks = [mesh_block(30, failed=3), mesh_block(10, source="")]
    assert served.call(served.store.insert("otel_traces", blocks)) > 40
    with Reader(served.url) as reader:
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


def test_of_grpc_calls_those_fail_that_are_the_servers_fault(served: ServedStore) -> None:
    block = call_block("OK", "NOT_FOUND", "CANCELLED", "UNAVAILABLE", "UNKNOWN", "DEADLINE_EXCEEDED")
    served.call(served.store.insert("otel_traces", [block]))
    with Reader(served.url) as reader:
        edges = "SELECT sum(Calls) AS calls, sum(Errors) AS errors FROM mesh_edges WHERE Destination = 'cart'"
        assert reader.rows(edges) == [{"calls": 6, "errors": 3}]


def test_what_lasts_as_long_as_both_sides_like_is_not_slow(served: ServedStore) -> None:
    served.call(served.store.insert("otel_traces", [tunnel_block("db")]))
    with Reader(served.url) as reader:
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


def test_one_insert_of_many_blocks_is_one_part(served: ServedStore) -> None:
    served.call(served.store.insert("otel_traces", [mesh_block(5, destination="parts") for _ in range(8)]))
    with Reader(served.url) as reader:
        parts = reader.rows(
            "SELECT count() AS n FROM (SELECT DISTINCT _part FROM otel_traces WHERE ServiceName = 'parts')"
        )
    assert parts == [{"n": 1}]


def test_a_batch_under_one_token_is_stored_once_everywhere(served: ServedStore) -> None:
    block = mesh_block(7, destination="once")
    for token in ("batch-1", "batch-1", "batch-2"):
        served.call(served.store.insert("otel_traces", [block], token))
    served.call(served.store.insert("otel_traces", [block]))
    with Reader(served.url) as reader:
        spans = reader.rows("SELECT count() AS n FROM otel_traces WHERE ServiceName = 'once'")
        calls = reader.rows("SELECT sum(Calls) AS n FROM mesh_edges WHERE Destination = 'once'")
    assert spans == calls == [{"n": 21}]


@pytest.mark.parametrize(
    "block",
    [b"\x01\x01\x05Wrong\x06UInt64" + bytes(8), b"\x01\x01\x09Timestamp\x06String\x03abc", b"\xff\xff\xff"],
    ids=["unknown column", "wrong type", "not a block"],
)
def test_a_block_that_never_fits_is_rejected_for_good(served: ServedStore, block: bytes) -> None:
    with pytest.raises(StoreRejected, match="otel_traces: Code: "):
        served.call(served.store.insert("otel_traces", [block]))


def test_a_table_that_does_not_exist_is_waited_for(served: ServedStore) -> None:
    with pytest.raises(StoreUnavailable, match="nowhere"):
        served.call(served.store.insert("nowhere", [mesh_block(1)]))


def test_a_second_process_is_told_who_holds_the_directory(tmp_path: Path) -> None:
    holder = StoreProcess(tmp_path, tmp_path / "holder.log")
    try:
        second = subprocess.run(
            [sys.executable, "-c", OPEN, str(tmp_path / "data")],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        holder.client.disconnect()
        holder.process.kill()
    last = second.stderr.splitlines()[-1]
    assert "StoreUnavailable" in last
    assert f"in use by another collector (process {holder.process.pid})" in last


def test_what_was_inserted_survives_a_kill(tmp_path: Path) -> None:
    first = StoreProcess(tmp_path, tmp_path / "first.log")
    first.client.execute("INSERT INTO mesh_alerts (IncidentId) VALUES", [("kept",)])
    first.process.kill()
    first.client.disconnect()
    second = StoreProcess(tmp_path, tmp_path / "second.log")
    try:
        assert second.client.execute("SELECT IncidentId FROM mesh_alerts") == [("kept",)]
    finally:
        second.client.disconnect()
        second.process.kill()
