"""What a reader can never do, tried through the native door, and the pure functions that see it coming."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from collector.store.canonical import called_names, split_format, without_outfile
from collector.store.client import Reader
from collector.store.errors import AccessRefused, QueryFailed
from collector.store.statement import data_follows
from tests.world.stores import ServedStore

CHANGES = (
    "INSERT INTO mesh_alerts (IncidentId) VALUES ('x')",
    "INSERT INTO mesh_alerts (IncidentId) SELECT 'x'",
    "INSERT INTO FUNCTION file('{file}') SELECT 1",
    "INSERT INTO mesh_alerts FROM INFILE '{file}' FORMAT CSV",
    "DROP TABLE otel_traces",
    "TRUNCATE TABLE otel_traces",
    "ALTER TABLE otel_traces DELETE WHERE 1",
    "DELETE FROM otel_traces WHERE 1",
    "OPTIMIZE TABLE otel_traces FINAL",
    "RENAME TABLE otel_traces TO gone",
    "DETACH TABLE otel_traces",
    "CREATE TABLE t (a UInt8) ENGINE = Memory",
    "CREATE TEMPORARY TABLE t (a UInt8)",
    "CREATE VIEW v AS SELECT 1",
    "CREATE FUNCTION f AS x -> x",
    "CREATE USER u",
    "GRANT ALL ON *.* TO default",
    "SET ROLE ALL",
    "SYSTEM SHUTDOWN",
    "SYSTEM DROP MARK CACHE",
    "KILL QUERY WHERE 1",
    "BACKUP DATABASE otel TO Disk('default', 'b')",
    "EXECUTE AS default SELECT 1",
    "CREATE TABLE t (a UInt8) ENGINE = URL('http://127.0.0.1:1/', 'CSV')",
    "CREATE DATABASE d ENGINE = MySQL('127.0.0.1:1', 'a', 'b', 'c')",
    "CREATE DICTIONARY d (a UInt8) PRIMARY KEY a SOURCE(FILE(path '{file}' format 'CSV')) LAYOUT(FLAT()) LIFETIME(0)",
    "CREATE NAMED COLLECTION c AS a = 1",
    "CREATE ROW POLICY p ON otel_traces USING 0",
    "CREATE QUOTA q KEYED BY user_name FOR INTERVAL 1 hour MAX queries = 1 TO ALL",
    "CREATE SETTINGS PROFILE p SETTINGS readonly = 0",
    "CREATE MATERIALIZED VIEW v TO mesh_alerts AS SELECT IncidentId FROM mesh_incidents",
    "ALTER USER default IDENTIFIED BY 'x'",
    "DROP DATABASE otel",
    "ATTACH TABLE t FROM '{file}' (a UInt8) ENGINE = Log",
    "EXCHANGE TABLES otel_traces AND otel_logs",
    "SYSTEM STOP MERGES",
    "SYSTEM RELOAD CONFIG",
    "SYSTEM FLUSH LOGS",
    "RESTORE DATABASE otel FROM File('{file}')",
    "BEGIN TRANSACTION",
)

FILES_AND_NETWORK = (
    "SELECT file('{file}')",
    "SELECT `f\\x69le`('{file}')",
    "SELECT file /* ( */ ('{file}')",
    "WITH file('{file}') AS f SELECT f",
    "SELECT arrayMap(x -> file(x), ['{file}'])",
    "SELECT * APPLY file FROM (SELECT '{file}' AS p)",
    "SELECT * APPLY(x -> file(x)) FROM (SELECT '{file}' AS p)",
    "SHOW TABLES WHERE file('{file}') LIKE 's%'",
    "SHOW COLUMNS FROM otel_traces WHERE file('{file}') LIKE 's%'",
    "EXPLAIN SELECT file('{file}')",
    "SELECT * FROM file('{file}', 'LineAsString')",
    "DESCRIBE TABLE file('{file}')",
    "SELECT * FROM default.`{file}`",
    "SELECT * FROM view(SELECT * FROM file('{file}'))",
    "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a UInt8')",
    "DESCRIBE TABLE url('http://127.0.0.1:1/x.csv')",
    "SELECT * FROM s3('http://127.0.0.1:1/bucket/x.csv')",
    "SELECT * FROM remote('127.0.0.1:1', system.one)",
    "SELECT * FROM sqlite('{file}.db', 't')",
    "SELECT * FROM executable('x.sh', 'CSV', 'a UInt8')",
    "SELECT * FROM Python(served)",
    "SELECT * FROM eval('SELECT 1')",
    "SELECT * FROM arrowstream(0)",
    "SELECT * FROM bigquery('a', 'b', 'c')",
    "SELECT aiGenerate('x', map('url', 'http://127.0.0.1:1/'))",
    "SELECT dictGet('d', 'a', 1)",
    "SELECT dictGetOrDefault('d', 'a', 1, 2)",
    "SELECT * FROM dictionary('d')",
    "SELECT * FROM postgresql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "SELECT * FROM mongodb('127.0.0.1:1', 'a', 'b', 'c', 'd', 'x UInt8')",
    "SELECT * FROM redis('127.0.0.1:1', 'a', 'a UInt8')",
    "SELECT * FROM odbc('DSN=x', 'a', 'b')",
    "SELECT * FROM jdbc('jdbc:x', 'a', 'b')",
    "SELECT * FROM hdfs('hdfs://127.0.0.1:1/x', 'CSV', 'a UInt8')",
    "SELECT * FROM azureBlobStorage('http://127.0.0.1:1/', 'c', 'x.csv')",
    "SELECT * FROM iceberg('http://127.0.0.1:1/bucket/')",
    "SELECT * FROM deltaLake('http://127.0.0.1:1/bucket/')",
    "SELECT * FROM gcs('http://127.0.0.1:1/bucket/x.csv')",
    "SELECT * FROM remoteSecure('127.0.0.1:1', system.one)",
    "SELECT * FROM cluster('default', system.one)",
    "SELECT * FROM clusterAllReplicas('default', system.one)",
    "SELECT * FROM s3Cluster('default', 'http://127.0.0.1:1/bucket/x.csv')",
    "SELECT * FROM fileCluster('default', '{file}', 'CSV')",
    "SELECT * FROM urlCluster('default', 'http://127.0.0.1:1/', 'CSV')",
    "SELECT addressToLine(1) SETTINGS allow_introspection_functions = 1",
    "SELECT (SELECT count() FROM url('http://127.0.0.1:1/', 'CSV', 'a UInt8'))",
    "WITH x AS (SELECT * FROM s3('http://127.0.0.1:1/bucket/x.csv')) SELECT * FROM x",
    "SELECT 1 UNION ALL SELECT * FROM file('{file}', 'CSV', 'a UInt8')",
    "SELECT * FROM otel_traces WHERE TraceId IN (SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString'))",
)

ESCAPES = (
    "SELECT 1 SETTINGS readonly = 0",
    "SELECT 1 SETTINGS max_execution_time = 0",
    "SELECT 1 SETTINGS max_memory_usage = 0",
    "SELECT 1 SETTINGS max_result_rows = 100000000",
    "SET max_execution_time = 0",
    "SELECT 1 SETTINGS max_parser_depth = 1000000",
    "SELECT 1 SETTINGS max_ast_depth = 0",
    "SELECT 1; DROP TABLE otel_traces",
    "SET readonly = 0",
    "SELECT 1 SETTINGS max_threads = 1000",
)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("sesame")
    return path


@pytest.mark.parametrize("sql", CHANGES)
def test_a_reader_changes_nothing(served: ServedStore, secret: Path, sql: str) -> None:
    with Reader(served.url) as reader:
        with pytest.raises(AccessRefused):
            reader.execute(sql.format(file=secret))
        tables = reader.rows("SELECT count() AS n FROM system.tables WHERE database = 'otel' AND name = 'otel_traces'")
        assert tables == [{"n": 1}]
        assert reader.rows("SELECT count() AS n FROM mesh_alerts") == [{"n": 0}]


@pytest.mark.parametrize("sql", FILES_AND_NETWORK)
def test_nothing_reaches_outside_the_store(served: ServedStore, secret: Path, sql: str) -> None:
    for url in (served.url, served.rootcause_url):
        with Reader(url) as reader, pytest.raises(AccessRefused) as refusal:
            reader.rows(sql.format(file=secret))
        assert "sesame" not in str(refusal.value)
    assert list(secret.parent.iterdir()) == [secret]


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO mesh_alerts (Error) SELECT file('{file}')",
        "INSERT INTO mesh_alerts (Error) VALUES (file('{file}'))",
        "INSERT INTO mesh_alerts (Error) VALUES ('x'), (`f\\x69le`('{file}'))",
        "INSERT INTO mesh_alerts (Error /* ) VALUES ('x') */) VALUES (file('{file}'))",
        "INSERT INTO mesh_alerts (Error) SETTINGS max_threads = 1 VALUES (file('{file}'))",
        "INSERT INTO mesh_alerts (Error) FORMAT Values (file('{file}'))",
    ],
)
def test_an_insert_cannot_bring_a_file_in(served: ServedStore, secret: Path, sql: str) -> None:
    with Reader(served.rootcause_url) as writer:
        with pytest.raises(QueryFailed):
            writer.execute(sql.format(file=secret))
        assert writer.rows("SELECT count() AS n FROM mesh_alerts") == [{"n": 0}]


def test_an_insert_may_carry_long_texts_with_quotes_and_words(served: ServedStore) -> None:
    text = 'it\'s a "file" \\ of ' + "x" * 400_000
    with Reader(served.rootcause_url) as writer:
        writer.execute(
            "INSERT INTO mesh_incidents (Id, OpenedAt, Finding) VALUES (%(id)s, now64(3), %(f)s)",
            {"id": "a", "f": text},
        )
        assert writer.rows("SELECT Finding FROM mesh_incidents FINAL") == [{"Finding": text}]


@pytest.mark.parametrize("sql", ESCAPES)
def test_bounds_cannot_be_lifted(served: ServedStore, sql: str) -> None:
    with Reader(served.url) as reader, pytest.raises(QueryFailed) as refusal:
        reader.rows(sql)
    assert refusal.value.code in (62, 164, 452)


@pytest.mark.parametrize("statements", [CHANGES, FILES_AND_NETWORK], ids=["changes", "outside"])
def test_the_same_is_refused_over_http_in_words_that_can_be_read(
    served: ServedStore, secret: Path, statements: tuple[str, ...]
) -> None:
    for sql in (*statements, "SELECT 1 INTO OUTFILE '{file}.out'"):
        asked = urllib.request.Request(served.http, sql.format(file=secret).encode(), method="POST")
        with pytest.raises(urllib.error.HTTPError) as refusal, urllib.request.urlopen(asked, timeout=30):
            pytest.fail(f"it was answered: {sql}")
        with refusal.value as answer:
            said = answer.read().decode()
        assert (answer.code, "sesame" in said) == (403, False), said
        assert re.match(r"Code: (497|164)\. DB::Exception: .*\((ACCESS_DENIED|READONLY)\)", said), said
    assert list(secret.parent.iterdir()) == [secret]


def test_readonly_is_the_doors_and_not_the_clients(served: ServedStore) -> None:
    with Reader(served.url, settings={"readonly": 0}) as reader, pytest.raises(AccessRefused):
        reader.execute("TRUNCATE TABLE otel_traces")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT " + "(" * 60_000 + "1" + ")" * 60_000,
        "SELECT " + "+".join(["1"] * 20_000),
        "SELECT * FROM " + "(" * 5000 + "SELECT 1" + ")" * 5000,
        "SELECT CAST('x' AS " + "Array(" * 3000 + "UInt8" + ")" * 3000 + ")",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r",
    ],
    ids=["parentheses", "sum", "subqueries", "types", "recursion"],
)
def test_statements_of_monstrous_shape_are_errors(served: ServedStore, sql: str) -> None:
    with Reader(served.url) as reader:
        with pytest.raises(QueryFailed):
            reader.rows(sql)
        assert reader.rows("SELECT 1 AS one") == [{"one": 1}]


def test_a_syntax_error_names_the_place_in_the_clients_text(served: ServedStore) -> None:
    with Reader(served.url) as reader, pytest.raises(QueryFailed) as failure:
        reader.rows("SELECT 'a' FRM t")
    assert "failed at position 16 (t)" in failure.value.message
    assert "formatQuery" not in failure.value.message


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 'file(' AS text, 1 AS file",
        "SELECT Body.file FROM (SELECT map('file', 1) AS m, tuple(1)::Tuple(file UInt8) AS Body)",
        "SHOW TABLES LIKE 'file%'",
        "SELECT count() FROM otel_traces SETTINGS max_threads = 1",
        "EXPLAIN SELECT 1",
        "DESCRIBE TABLE otel_traces",
        "SHOW CREATE TABLE otel_traces",
        "EXISTS TABLE otel_traces",
        "FROM otel_traces SELECT count()",
        "SELECT 1 -- a comment at the end",
        "SELECT 1; ",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT sum(n) FROM r",
    ],
)
def test_what_only_looks_dangerous_is_answered(served: ServedStore, sql: str) -> None:
    with Reader(served.url) as reader:
        reader.table(sql)


def test_functions_are_found_in_canonical_sql() -> None:
    sql = "SELECT sum(a), `Weird name`(b), 'file(x)', c AS file, * APPLY quantiles(0.5), * APPLY upper FROM view(x)"
    assert list(called_names(sql)) == ["sum", "weird name", "quantiles", "quantiles", "upper", "view"]


def test_the_format_clause_is_cut_out_and_nothing_like_it() -> None:
    assert split_format("SELECT 1 FORMAT CSV") == ("SELECT 1", "CSV")
    assert split_format("SELECT 1 FORMAT CSV SETTINGS max_threads = 1") == ("SELECT 1 SETTINGS max_threads = 1", "CSV")
    assert split_format("SELECT 'a FORMAT CSV'") == ("SELECT 'a FORMAT CSV'", None)
    assert split_format("SELECT FORMAT AS CSV FROM t") == ("SELECT FORMAT AS CSV FROM t", None)


def test_the_outfile_clause_is_cut_out_and_nothing_like_it() -> None:
    assert without_outfile("SELECT 1 INTO OUTFILE 'a\\'b' TRUNCATE FORMAT CSV") == "SELECT 1 FORMAT CSV"
    assert without_outfile("SELECT ' INTO OUTFILE x'") == "SELECT ' INTO OUTFILE x'"


def test_an_insert_awaits_data_only_where_its_rows_would_begin() -> None:
    assert data_follows("INSERT INTO t (a) VALUES")
    assert data_follows(" insert into t\nformat CSV ;")
    assert not data_follows("INSERT INTO t VALUES (1)")
    assert not data_follows("INSERT INTO t SELECT 1")
    assert not data_follows("SELECT 1 FORMAT CSV")
