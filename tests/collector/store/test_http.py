"""The HTTP door with curl and clickhouse-connect, which are what people and their tools bring."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import clickhouse_connect
import pytest
import sqlalchemy
from clickhouse_connect.driver import Client
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError

from collector.store.doors.compress import frame_size, raw_bytes
from tests.collector.store.spans import mesh_block
from tests.world.processes import until
from tests.world.stores import ServedStore


class Curl:
    """curl against one door: `get` and `post` return what it prints."""

    def __init__(self, base: str) -> None:
        self._base = base

    def get(self, path: str = "/", *options: str, **query: str) -> str:
        return self._run(path, query, *options)

    def post(self, body: str, *options: str, **query: str) -> str:
        return self._run("/", query, "--data-binary", body, *options)

    def raw(self, *options: str, **query: str) -> subprocess.CompletedProcess[bytes]:
        address = f"{self._base}/?{urlencode(query)}"
        return subprocess.run(["curl", "-sS", *options, address], capture_output=True, timeout=30, check=False)

    def _run(self, path: str, query: dict[str, str], *options: str) -> str:
        address = self._base + path + (f"?{urlencode(query)}" if query else "")
        command = ["curl", "-sS", *options, address]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False).stdout


@pytest.fixture(scope="module")
def curl(served: ServedStore) -> Curl:
    return Curl(served.http)


@pytest.fixture
def connect(served: ServedStore) -> Iterator[Client]:
    client = clickhouse_connect.get_client(dsn=served.http + "/otel")
    yield client
    client.close()


def test_it_says_that_it_is_there(curl: Curl) -> None:
    assert curl.get("/ping") == "Ok.\n"
    assert curl.get("/") == "Ok.\n"
    assert curl.get("/replicas_status") == "Ok.\n"


def test_a_statement_comes_in_the_address_in_the_body_or_in_both(curl: Curl) -> None:
    assert curl.get(query="SELECT 1, 'a'") == "1\ta\n"
    assert curl.post("SELECT 2") == "2\n"
    assert curl.post("FROM numbers(3)", query="SELECT sum(number)") == "3\n"


def test_formats_come_from_the_statement_the_header_or_the_address(curl: Curl) -> None:
    sql = "SELECT 1 AS a, 'x' AS b"
    assert json.loads(curl.post(sql + " FORMAT JSON"))["data"] == [{"a": 1, "b": "x"}]
    assert curl.post(sql, "-H", "X-ClickHouse-Format: CSVWithNames") == '"a","b"\n1,"x"\n'
    assert curl.post(sql, default_format="JSONEachRow") == '{"a":1,"b":"x"}\n'
    assert "application/json" in curl.post(sql + " FORMAT JSONCompact", "-i")


def test_a_document_format_is_one_document_however_long(curl: Curl) -> None:
    document = json.loads(curl.post("SELECT number FROM numbers(200000) FORMAT JSONCompact"))
    assert document["rows"] == len(document["data"]) == 200_000


def test_database_settings_and_parameters_come_in_the_address(curl: Curl) -> None:
    assert curl.post("SELECT count() FROM one", database="system") == "1\n"
    assert curl.post("SELECT getSetting('max_threads')", max_threads="1") == "1\n"
    assert curl.post("SELECT {who:String}, {n:Array(UInt8)}", param_who="it's", param_n="[1,2]") == "it\\'s\t[1,2]\n"
    assert "Code: 115." in curl.post("SELECT 1", no_such_setting="1")


def test_a_setting_over_its_bound_gets_the_bound(curl: Curl) -> None:
    assert curl.post("SELECT getSetting('max_result_rows')", max_result_rows="0") == "1000000\n"
    assert curl.post("SELECT getSetting('max_execution_time')", max_execution_time="3600") == "60\n"


@pytest.mark.parametrize(
    ("sql", "status", "code"),
    [
        ("SELEC 1", 400, 62),
        ("SELECT * FROM nowhere", 404, 60),
        ("DROP TABLE otel_traces", 403, 497),
        ("SELECT file('/etc/hostname')", 403, 497),
        ("SELECT throwIf(1)", 500, 395),
        ("SELECT count() FROM numbers(1000000000000) SETTINGS max_execution_time = 0.2", 408, 159),
    ],
)
def test_errors_have_status_code_and_text(curl: Curl, sql: str, status: int, code: int) -> None:
    answer = curl.post(sql, "-i")
    assert f"HTTP/1.1 {status} " in answer
    assert f"X-ClickHouse-Exception-Code: {code}\n" in answer.replace("\r", "")
    assert f"\nCode: {code}. DB::Exception: " in answer.replace("\r", "")


def test_an_error_behind_rows_breaks_the_answer_off(curl: Curl) -> None:
    done = curl.raw(query="SELECT throwIf(number = 400000) FROM numbers(900000)")
    assert done.returncode != 0
    assert b"__exception__" in done.stdout
    assert b"Code: 395." in done.stdout


def test_a_big_answer_arrives_whole_with_and_without_gzip(curl: Curl) -> None:
    expected = b"".join(b"%d\n" % number for number in range(900_000))
    sql = "SELECT number FROM numbers(900000)"
    assert curl.raw(query=sql).stdout == expected
    assert curl.raw("--compressed", query=sql).stdout == expected
    assert curl.raw("-H", "Accept-Encoding: gzip", query=sql).stdout[:2] == b"\x1f\x8b"
    assert curl.raw("-H", "Accept-Encoding: gzip", query="SELECT 1", enable_http_compression="0").stdout == b"1\n"


def test_frames_of_the_native_protocol_on_request(curl: Curl) -> None:
    frame = curl.raw(query="SELECT 'x' FROM numbers(1000)", compress="1").stdout
    assert frame_size(frame[:25]) == len(frame)
    assert raw_bytes(frame) == b"x\n" * 1000


def test_the_summary_counts_rows(curl: Curl) -> None:
    head = curl.post("SELECT sum(number) FROM numbers(10)", "-i")
    line = next(line for line in head.splitlines() if line.startswith("X-ClickHouse-Summary: "))
    figures = json.loads(line.partition(": ")[2])
    assert (figures["read_rows"], figures["result_rows"]) == ("10", "1")


def test_every_answer_names_its_query(curl: Curl) -> None:
    for sql in ("SELECT 1", "SELEC 1", "SELECT number FROM numbers(300000)"):
        assert "X-ClickHouse-Query-Id: mine-7\n" in curl.post(sql, "-i", query_id="mine-7").replace("\r", "")
    for other in ("", "two\r\nX-Lines: 1"):
        head = curl.post("SELECT 1", "-i", query_id=other)
        assert len(head.partition("X-ClickHouse-Query-Id: ")[2].splitlines()[0]) == 36
        assert "X-Lines" not in head


def test_another_clickhouse_reads_by_url(served: ServedStore) -> None:
    address = f"{served.http}/?{urlencode({'query': 'SELECT number FROM numbers(200000) FORMAT CSV'})}"
    script = f"""
import chdb.session
session = chdb.session.Session()
print(session.query("SELECT sum(n) FROM url('{address}', 'CSV', 'n UInt64')", "CSV"))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "19999900000", done.stderr


def test_sqlalchemy_reads_tables_and_rows(served: ServedStore) -> None:
    engine = sqlalchemy.create_engine(f"clickhousedb://{served.http.removeprefix('http://')}/otel")
    try:
        with engine.connect() as connection:
            table = sqlalchemy.text("SELECT name FROM system.tables WHERE database = :name ORDER BY name")
            names = [row.name for row in connection.execute(table, {"name": "otel"})]
            spans = sqlalchemy.Table("mesh_edges", sqlalchemy.MetaData(schema="otel"), autoload_with=connection)
    finally:
        engine.dispose()
    assert "otel_traces" in names
    assert {"Source", "Destination", "Calls"} <= set(spans.columns.keys())


def test_accounts_by_header_basic_authentication_and_address(curl: Curl) -> None:
    right, wrong = "correct horse", "battery"
    asked = "SELECT 1"
    assert curl.post(asked, "-u", f"guarded:{right}") == "1\n"
    assert curl.post(asked, "-H", "X-ClickHouse-User: guarded", "-H", f"X-ClickHouse-Key: {right}") == "1\n"
    assert curl.post(asked, user="guarded", password=right) == "1\n"
    for refused in (
        curl.post(asked, "-u", f"guarded:{wrong}"),
        curl.post(asked, "-H", "X-ClickHouse-User: nobody"),
        curl.post(asked, "-H", "Authorization: Bearer x"),
    ):
        assert refused.startswith("Code: 516. ")


def test_get_only_reads_and_post_inserts(curl: Curl) -> None:
    insert = "INSERT INTO mesh_alerts (IncidentId, Event) "
    assert "GET only reads" in curl.get("/", "-u", "rootcause:", query=insert + "VALUES ('get', 'open')")
    assert curl.post(insert + "VALUES ('inline', 'open')", "-u", "rootcause:") == ""
    assert curl.post("apart,open\n", "-u", "rootcause:", query=insert + "FORMAT CSV") == ""
    assert curl.post(insert + "FORMAT CSV\nbehind,open\n", "-u", "rootcause:") == ""
    assert curl.post("SELECT IncidentId FROM mesh_alerts ORDER BY 1") == "apart\nbehind\ninline\n"


def test_an_insert_takes_parameters(curl: Curl) -> None:
    given = {"param_id": "it's", "param_n": "7101"}
    for rows in ("SELECT {id:String}, {n:UInt16}", "VALUES ({id:String}, {n:UInt16} + 1)"):
        insert = f"INSERT INTO mesh_alerts (IncidentId, Attempts) {rows}"
        assert curl.post(insert, "-u", "rootcause:", **given) == ""
    found = "SELECT IncidentId, Attempts FROM mesh_alerts WHERE Attempts BETWEEN {n:UInt16} AND 7102 ORDER BY 2"
    assert curl.post(found, **given) == "it\\'s\t7101\nit\\'s\t7102\n"


def test_rows_in_a_body_cannot_bring_a_file_in(curl: Curl) -> None:
    insert = "INSERT INTO mesh_alerts (Error) VALUES"
    assert curl.post("(file('/etc/hostname'))", "-u", "rootcause:", query=insert).startswith("Code: 497. ")


def test_a_client_that_leaves_cancels_its_query(served: ServedStore) -> None:
    command = ["curl", "-sS", "--data-binary", "SELECT count() FROM numbers(1000000000000)", served.http]
    client = subprocess.Popen(command)
    until(lambda: served.running_queries() == 1, "the query to start")
    client.kill()
    client.wait()
    until(lambda: served.running_queries() == 0, "the query to end")


def test_a_slow_reader_holds_its_query_back_instead_of_memory(served: ServedStore, curl: Curl) -> None:
    wide = "SELECT number, repeat('x', 1000) FROM numbers(900000) SETTINGS max_block_size = 8192"
    port = int(served.http.rpartition(":")[2])
    before = _rss()
    with socket.create_connection(("127.0.0.1", port)) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sendall(f"GET /?{urlencode({'query': wide})} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert slow.recv(15) == b"HTTP/1.1 200 OK"
        for _ in range(20):  # others go on
            assert curl.get(query="SELECT 1") == "1\n"
        print(f"RSS grew by {(_rss() - before) >> 20} MB for a result of 900 MB that nobody takes")
        assert _rss() - before < 200 << 20
        assert served.running_queries() == 1
    until(lambda: served.running_queries() == 0, "the query to end with its reader")


def test_clickhouse_connect_reads_spans(served: ServedStore, connect: Client) -> None:
    served.call(served.store.insert("otel_traces", [mesh_block(5)]))
    result = connect.query("SELECT SpanName, SpanAttributes['mesh.route'] AS route, Timestamp FROM otel_traces LIMIT 1")
    assert result.column_names == ("SpanName", "route", "Timestamp")
    assert result.first_row[:2] == ("GET /pay", "/pay")
    assert connect.query("SELECT {x:String} AS x", parameters={"x": "it's\\\n"}).first_row == ("it's\\\n",)
    assert len(connect.query("SELECT number, toString(number) FROM numbers(200000)").result_rows) == 200_000


def test_clickhouse_connect_gets_errors(connect: Client) -> None:
    with pytest.raises(DatabaseError, match="UNKNOWN_TABLE"):
        connect.query("SELECT * FROM nowhere")
    with pytest.raises(StreamFailureError, match="FUNCTION_THROW_IF"):
        assert connect.query("SELECT throwIf(number = 400000) FROM numbers(900000)").result_rows


@pytest.mark.parametrize("compress", [True, False])
def test_clickhouse_connect_inserts(served: ServedStore, compress: bool) -> None:
    client = clickhouse_connect.get_client(dsn=served.http + "/otel", username="rootcause", compress=compress)
    rows = [[f"connect-{compress}-{number}", 0.5, None] for number in range(500)]
    client.insert("mesh_incidents", rows, column_names=["Id", "Confidence", "ResolvedAt"])
    found = client.query(f"SELECT count(), sum(Confidence) FROM mesh_incidents WHERE Id LIKE 'connect-{compress}-%'")
    client.close()
    assert found.first_row == (500, 250.0)


def _rss() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
