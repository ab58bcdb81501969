"""Spans and logs with text indexes: what is made, what a table that is there becomes, and that searches use them."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs

from collector._columnar import encode_logs
from collector.store.indexes import TABLES, Indexes, changes, indexed
from collector.store.layout import Layout
from collector.store.migrate import OBJECTS, Migration
from tests.collector.store.spans import mesh_block
from tests.world.otlp_requests import START_NS, attribute
from tests.world.stores import ServedStore, served_store

SEARCHES = {
    "idx_lower_body": "otel_logs WHERE hasToken(lower(Body), 'refused')",
    "idx_log_attr_key": "otel_logs WHERE mapContains(LogAttributes, 'card')",
    "idx_log_attr_value": "otel_logs WHERE has(mapValues(LogAttributes), 'visa')",
    "idx_res_attr_value": "otel_logs WHERE ResourceAttributes['service.name'] = 'shop'",
    "idx_span_attr_value": "otel_traces WHERE SpanAttributes['http.response.status_code'] = '503'",
    "idx_span_attr_key": "otel_traces WHERE mapContains(SpanAttributes, 'mesh.route')",
    "idx_trace_id": "otel_traces WHERE TraceId = 'nowhere'",
}


def lines() -> bytes:
    """Two lines, of which the second is looked for."""
    records = [LogRecord(time_unix_nano=START_NS + number, span_id=secrets.token_bytes(8)) for number in range(2)]
    records[0].body.string_value = "payment taken"
    records[1].body.string_value = "Payment REFUSED: no funds"
    records[1].attributes.append(attribute("card", "visa"))
    scoped = ScopeLogs(log_records=records)
    body = ExportLogsServiceRequest(resource_logs=[ResourceLogs(scope_logs=[scoped])]).SerializeToString()
    return encode_logs(body, received_ns=START_NS).blocks[0].data


def fill(served: ServedStore) -> None:
    served.call(served.store.insert("otel_logs", [lines()]))
    served.call(served.store.insert("otel_traces", [mesh_block(20, failed=2)]))


def kinds(served: ServedStore) -> dict[str, set[str]]:
    """The types of the indexes of each table."""
    with served.client() as client:
        rows = client.execute("SELECT table, groupUniqArray(type) FROM system.data_skipping_indices GROUP BY table")
    return {table: set(types) for table, types in rows}


def test_only_spans_and_logs_are_made_otherwise() -> None:
    for name in OBJECTS:
        sql = Migration.read(name).sql
        assert indexed(sql, "bloom") == indexed(sql, None) == sql
        assert (indexed(sql, "text") != sql) is (name in TABLES)
    logs = indexed(Migration.read("otel_logs").sql, "text")
    assert "INDEX idx_log_attr_value mapValues(LogAttributes) TYPE text(tokenizer = 'array'),\n" in logs
    assert "INDEX idx_lower_body lower(Body) TYPE text(tokenizer = 'splitByNonAlpha')\n" in logs
    assert "bloom_filter" not in logs
    assert "INDEX idx_duration Duration TYPE minmax GRANULARITY 1\n" in indexed(
        Migration.read("otel_traces").sql, "text"
    )


def test_what_is_as_it_should_be_is_not_touched() -> None:
    sql = Migration.read("otel_logs").sql
    bloom = {"idx_trace_id": "bloom_filter", "idx_body": "tokenbf_v1", "mine": "text", "idx_log_attr_key": "text"}
    dropped, added = changes("otel_logs", sql, "text", bloom)
    assert dropped.startswith("ALTER TABLE otel.otel_logs DROP INDEX idx_trace_id, DROP INDEX idx_body SETTINGS")
    assert "ADD INDEX idx_trace_id TraceId TYPE text(tokenizer = 'array')" in added
    assert "idx_lower_body" in added
    assert "idx_log_attr_key" not in added
    text = dict.fromkeys((one.partition(" ")[0] for one in added.split("ADD INDEX ")[1:]), "text")
    assert changes("otel_logs", sql, "text", text | {"idx_log_attr_key": "text"}) == []


def test_searches_use_them(tmp_path: Path) -> None:
    with served_store(tmp_path, layout=Layout(indexes="text")) as served:
        fill(served)
        with served.client() as client:
            for index, search in SEARCHES.items():
                explained = client.execute(f"EXPLAIN indexes = 1 SELECT Timestamp FROM {search}")
                assert any(line.endswith(f"Name: {index}") for (line,) in explained), (index, *explained)
            counts = {index: client.execute(f"SELECT count() FROM {search}") for index, search in SEARCHES.items()}
    assert counts == {
        "idx_lower_body": [(1,)],
        "idx_log_attr_key": [(1,)],
        "idx_log_attr_value": [(1,)],
        "idx_res_attr_value": [(0,)],
        "idx_span_attr_value": [(2,)],
        "idx_span_attr_key": [(20,)],
        "idx_trace_id": [(0,)],
    }


def test_tables_that_are_there_are_changed_both_ways_and_lose_nothing(tmp_path: Path) -> None:
    asked: tuple[Indexes | None, ...] = (None, "text", None, "bloom")
    types = []
    for number, kind in enumerate(asked, 1):
        with served_store(tmp_path, layout=Layout(indexes=kind)) as served:
            types.append(kinds(served)["otel_logs"])
            fill(served)
            with served.client() as client:
                found = client.execute(f"SELECT count() FROM {SEARCHES['idx_log_attr_value']}")
                failed = client.execute(f"SELECT count() FROM {SEARCHES['idx_span_attr_value']}")
            assert (found, failed) == ([(number,)], [(2 * number,)]), "rows of before and of now"
    bloom = {"bloom_filter", "tokenbf_v1"}
    assert types == [bloom, {"text"}, {"text"}, bloom]


@pytest.mark.parametrize("table", TABLES)
def test_one_that_was_interrupted_between_is_completed(table: str) -> None:
    (added,) = changes(table, Migration.read(table).sql, "text", {})
    assert added.count("ADD INDEX") == added.count("TYPE text")
