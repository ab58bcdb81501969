"""The native door with the clients people have: clickhouse-driver, clickhouse-client, another ClickHouse."""

from __future__ import annotations

import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import NetworkError, ServerException

from collector.store.columns import Columns
from collector.store.doors.native import CONNECTIONS_MOST, serve_native
from collector.store.embedded import EmbeddedStore
from collector.store.running import Request
from tests.collector.store.spans import mesh_block
from tests.world.processes import until
from tests.world.stores import ServedStore

ENDLESS = "SELECT count() FROM numbers(1000000000000) SETTINGS max_threads = 1"
EVERY_TYPE = """
SELECT toLowCardinality('x') AS lc, map('a', 1, 'b', 2) AS m, [1, 2] AS arr, [[1], []] AS nested, (1, 'b') AS tup,
    toDateTime64('2026-01-02 03:04:05.123456789', 9) AS nanos, toDateTime('2026-01-02 03:04:05') AS t,
    NULL::Nullable(String) AS nothing, toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0') AS u, 1.5 AS f,
    toInt64(-9223372036854775808) AS i, toDate('2026-01-02') AS d, toFixedString('ab', 2) AS fixed,
    'open'::Enum8('open' = 1) AS e, toIPv4('10.0.0.1') AS ip, 12.34::Decimal(9, 2) AS dec, true AS b,
    sumSimpleState(toUInt64(3)) AS simple
"""


@pytest.mark.parametrize("compression", [False, "lz4"])
def test_every_kind_of_column_arrives(served: ServedStore, compression: str | bool) -> None:
    with served.client(compression=compression) as client:
        rows, columns = client.execute(EVERY_TYPE, with_column_types=True)
    values = dict(zip([name for name, _ in columns], rows[0], strict=True))
    assert values["lc"] == "x"
    assert values["m"] == {"a": 1, "b": 2}
    assert values["nested"] == [[1], []]
    assert values["tup"] == (1, "b")
    assert values["nanos"].replace(tzinfo=UTC) == datetime(2026, 1, 2, 3, 4, 5, 123457, tzinfo=UTC)
    assert values["nothing"] is None
    assert values["i"] == -(2**63)
    assert (str(values["u"]), str(values["ip"]), str(values["dec"])) == (
        "61f0c404-5cb3-11e7-907b-a6006ad3dba0",
        "10.0.0.1",
        "12.34",
    )
    assert dict(columns)["lc"] == "LowCardinality(String)"
    assert dict(columns)["nanos"] == "DateTime64(9)"


@pytest.mark.parametrize(
    "sql",
    [
        EVERY_TYPE,
        f"SELECT * FROM ({EVERY_TYPE}) WHERE i > 0",
        "SELECT sumState(number) AS state, 1 AS one FROM numbers(3)",
        "SELECT toDateTime(0, 'Europe/Berlin') AS there, now64(3, 'UTC') AS here",
    ],
    ids=["all types", "no rows", "a state", "time zones"],
)
def test_columns_are_told_as_they_are_described(served: ServedStore, sql: str) -> None:
    with served.client() as client:
        described = [(row[0], row[1]) for row in client.execute(f"DESCRIBE TABLE ({sql})")]
    assert served.call(told(served.store, sql)) == described


async def told(store: EmbeddedStore, sql: str) -> Columns:
    running = await store.start(Request(sql, native=True))
    try:
        return running.columns
    finally:
        await running.close()


def test_spans_and_aggregated_states_are_read(served: ServedStore) -> None:
    served.call(served.store.insert("otel_traces", [mesh_block(20, failed=2)]))
    with served.client() as client:
        span = client.execute("SELECT ServiceName, SpanAttributes, Events.Timestamp FROM otel_traces LIMIT 1")[0]
        edge = client.execute("SELECT any(Source), sum(Calls), sumMap(Reasons), argMaxMerge(SlowTrace) FROM mesh_edges")
    assert span[0] == "payments"
    assert span[1]["mesh.route"] == "/pay"
    assert span[2] == []
    assert edge[0][:3] == ("front", 20, {})
    assert len(edge[0][3]) == 32


def test_big_results_stream_and_can_be_left(served: ServedStore) -> None:
    with served.client() as client:
        assert sum(number for (number,) in client.execute_iter("SELECT number FROM numbers(300000)")) == 44999850000
    with served.client() as client:
        rows = client.execute_iter("SELECT number FROM numbers(1000000)")
        assert next(rows) == (0,)
    until(lambda: served.running_queries() == 0, "the query of a client that left to end")


def test_a_query_that_fails_half_way_is_an_error(served: ServedStore) -> None:
    with served.client() as client, pytest.raises(ServerException) as failure:
        client.execute("SELECT throwIf(number = 400000) FROM numbers(900000)")
    assert failure.value.code == 395


def test_two_slow_queries_run_beside_each_other(served: ServedStore) -> None:
    def sleep() -> None:
        with served.client() as client:
            client.execute("SELECT sleep(1)")

    started = time.monotonic()
    threads = [threading.Thread(target=sleep) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - started < 1.8


def test_cancel_ends_the_query_and_keeps_the_connection(served: ServedStore) -> None:
    with served.client() as client:
        client.execute_with_progress(ENDLESS)
        until(lambda: served.running_queries() == 1, "the query to start")
        client.cancel()
        until(lambda: served.running_queries() == 0, "the cancelled query to end")


def test_a_client_that_vanishes_takes_its_query_with_it(served: ServedStore) -> None:
    client = served.client()
    client.execute_with_progress(ENDLESS)
    until(lambda: served.running_queries() == 1, "the query to start")
    client.disconnect()
    until(lambda: served.running_queries() == 0, "the orphaned query to end")


def test_a_slow_reader_holds_its_query_back_instead_of_memory(served: ServedStore) -> None:
    wide = "SELECT number, repeat('x', 1000) FROM numbers(900000) SETTINGS max_block_size = 8192"
    with socket.create_connection(("127.0.0.1", served.native_port)) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sendall(_hello() + _query(wide))
        until(lambda: served.running_queries() == 1, "the query to start")
        before = _rss()
        with served.client() as client:  # others go on
            for _ in range(20):
                assert client.execute("SELECT 1") == [(1,)]
        assert _rss() - before < 200 << 20
        assert served.running_queries() == 1
    until(lambda: served.running_queries() == 0, "the query to end with its reader")


def test_a_door_closes_in_silence_while_a_client_is_there(
    served: ServedStore, caplog: pytest.LogCaptureFixture
) -> None:
    door = served.call(serve_native(served.store, "127.0.0.1", 0))
    with Client("127.0.0.1", door.port) as idle, Client("127.0.0.1", door.port) as busy:
        idle.execute("SELECT 1")
        busy.execute_with_progress(ENDLESS)
        until(lambda: served.running_queries() == 1, "the query to start")
        served.call(door.close())
        with pytest.raises((EOFError, NetworkError)):
            busy.receive_result()
    assert served.running_queries() == 0
    assert caplog.records == [], caplog.text


def test_use_and_set_last_as_long_as_the_connection(served: ServedStore) -> None:
    with served.client() as client:
        client.execute("USE system")
        client.execute("SET max_block_size = 7")
        assert client.execute("SELECT currentDatabase(), getSetting('max_block_size'), count() FROM one") == [
            ("system", 7, 1)
        ]
    with served.client() as client:
        assert client.execute("SELECT currentDatabase(), getSetting('max_block_size') = 7") == [("otel", 0)]


def test_settings_of_other_versions_do_not_hurt(served: ServedStore) -> None:
    with served.client(settings={"setting_of_tomorrow": 1, "max_threads": 1}) as client:
        assert client.execute("SELECT getSetting('max_threads')") == [(1,)]


@pytest.mark.parametrize("compression", [False, "lz4"])
def test_blocks_are_inserted_by_the_account_that_may(served: ServedStore, compression: str | bool) -> None:
    rows = [(f"{compression}-{number}", datetime(2026, 1, 2, 3, 4, 5, 678000), number) for number in range(5000)]
    insert = "INSERT INTO mesh_alerts (IncidentId, Time, Attempts) VALUES"
    with served.client("rootcause", compression=compression) as client:
        assert client.execute(insert, rows) == 5000
        found = client.execute(
            f"SELECT count(), sum(Attempts), min(Time) FROM mesh_alerts WHERE IncidentId LIKE '{compression}-%'"
        )
    assert found == [(5000, sum(range(5000)), datetime(2026, 1, 2, 3, 4, 5, 678000))]
    with served.client(compression=compression) as client, pytest.raises(ServerException, match="may not insert"):
        client.execute(insert, rows)


def test_parameters_come_by_set_as_values_and_in_inserts(served: ServedStore) -> None:
    with served.client("rootcause") as client:
        client.execute("SET param_id = 'it\\'s', param_n = 71")
        client.execute("INSERT INTO mesh_alerts (IncidentId, Attempts) SELECT {id:String}, {n:UInt16}")
        client.execute("INSERT INTO mesh_alerts (IncidentId, Attempts) VALUES ({id:String}, {n:UInt16} + 1)")
        found = "SELECT IncidentId, Attempts FROM mesh_alerts WHERE IncidentId = {id:String} ORDER BY 2"
        assert client.execute(found) == [("it's", 71), ("it's", 72)]


def test_a_nullable_column_is_inserted(served: ServedStore) -> None:
    with served.client("rootcause") as client:
        client.execute("INSERT INTO mesh_incidents (Id, ResolvedAt, Confidence) VALUES", [("a", None, 0.5)])
        assert client.execute("SELECT ResolvedAt, Confidence FROM mesh_incidents FINAL WHERE Id = 'a'") == [(None, 0.5)]


@pytest.mark.parametrize(
    ("user", "password", "enters"),
    [("default", "", True), ("guarded", "correct horse", True), ("guarded", "wrong", False), ("nobody", "", False)],
)
def test_accounts_and_passwords(served: ServedStore, user: str, password: str, enters: bool) -> None:
    with served.client(user, password=password) as client:
        if enters:
            assert client.execute("SELECT 1") == [(1,)]
            return
        with pytest.raises(ServerException, match="Authentication failed") as refusal:
            client.execute("SELECT 1")
        assert refusal.value.code == 516


def test_garbage_ends_its_connection_and_disturbs_nobody(served: ServedStore) -> None:
    seeded = random.Random(1)
    with served.client() as bystander:
        bystander.execute("SELECT 1")
        for garbage in (
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            b"\xff" * 64,
            _hello() + b"\x63garbage",
            _hello() + b"\x02\x00" + b"\xff" * 40,
            *(_hello() + b"\x01" + seeded.randbytes(300) for _ in range(20)),
            *(seeded.randbytes(200) for _ in range(20)),
        ):
            with socket.create_connection(("127.0.0.1", served.native_port), timeout=5) as peer:
                peer.sendall(garbage)
                peer.shutdown(socket.SHUT_WR)
                while peer.recv(4096):
                    pass
        assert bystander.execute("SELECT 2") == [(2,)]


def test_clickhouse_client_of_2018_works(served: ServedStore) -> None:
    if shutil.which("clickhouse-client") is None:
        pytest.skip("clickhouse-client is not installed (apt-get install clickhouse-client)")

    def client(sql: str, *options: str, data: str = "") -> str:
        command = ["clickhouse-client", "--port", str(served.native_port), "-d", "otel", *options, "-q", sql]
        done = subprocess.run(command, input=data, capture_output=True, text=True, timeout=30, check=False)
        return done.stdout + done.stderr

    assert client("show tables like 'mesh_r%'") == "mesh_routes\nmesh_routes_mv\n"
    assert "number: 1\n" in client("select number from numbers(2) format Vertical")
    assert (
        client("select toString(toDateTime64('2026-01-02 03:04:05.5', 1)), [1, 2]") == "2026-01-02 03:04:05.5\t[1,2]\n"
    )
    assert "Code: 60" in client("select * from nowhere")
    assert "Code: 396" in client("select * from numbers(20)", "--max_result_rows", "10")
    assert (
        client("insert into mesh_alerts (IncidentId, Event) format TSV", "--user", "rootcause", data="old\topen\n")
        == ""
    )
    zstd = ("--network_compression_method", "zstd", "--user", "rootcause", "--compression", "1")
    assert client("insert into mesh_alerts (IncidentId, Event) format TSV", *zstd, data="zstd\topen\n") == ""
    assert client("select Event from mesh_alerts where IncidentId in ('old', 'zstd')", *zstd) == "open\nopen\n"


def test_another_clickhouse_reads_and_writes_through_remote(served: ServedStore) -> None:
    script = f"""
import chdb.session
session = chdb.session.Session()
door = "'127.0.0.1:{served.native_port}', otel.mesh_alerts"
session.query(f"INSERT INTO FUNCTION remote({{door}}, 'rootcause', '') (IncidentId, Attempts) VALUES ('far', 7000)")
print(session.query(f"SELECT IncidentId, sum(Attempts) FROM remote({{door}}) WHERE Attempts > 5000 GROUP BY 1", "CSV"))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == '"far",7000', done.stderr


def test_connections_are_bounded(served: ServedStore) -> None:
    idle = [served.client() for _ in range(CONNECTIONS_MOST)]
    try:
        for client in idle:
            client.execute("SELECT 1")
        with served.client() as one_more, pytest.raises(ServerException, match="connections are open already"):
            one_more.execute("SELECT 1")
    finally:
        for client in idle:
            client.disconnect()
    until(lambda: _answers(served), "a free place")


def _answers(served: ServedStore) -> bool:
    with served.client() as client:
        try:
            return client.execute("SELECT 1") == [(1,)]
        except ServerException:
            return False


def _hello() -> bytes:
    return b"\x00" + _text("test") + b"\x01\x01" + _number(54447) + _text("otel") + _text("default") + _text("")


def _query(sql: str) -> bytes:
    info = (
        b"\x01" + _text("") * 3 + b"\x01" + _text("") * 3 + b"\x01\x01" + _number(54447) + _text("") + b"\x00" + b"\x00"
    )
    empty_table = b"\x02" + _text("") + b"\x01\x00\x02\xff\xff\xff\xff\x00" + b"\x00\x00"
    return b"\x01" + _text("") + info + _text("") + _text("") + b"\x02\x00" + _text(sql) + empty_table


def _text(text: str) -> bytes:
    return _number(len(text)) + text.encode()


def _number(value: int) -> bytes:
    low = bytes([value & 127 | (128 if value > 127 else 0)])
    return low + _number(value >> 7) if value > 127 else low


def _rss() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
