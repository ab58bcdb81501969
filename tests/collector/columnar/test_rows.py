"""What a real ClickHouse reads from our blocks is what the oracle says the request means."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector import _columnar as columnar
from tests.world import otlp_oracle as oracle
from tests.world import otlp_requests as world
from tests.world.clickhouse import ClickHouse, clickhouse

RECORDED = Path(__file__).parents[4] / "shared" / "rca" / "nezha-trainticket" / "nezha-tt-001"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    with clickhouse(tmp_path_factory.mktemp("clickhouse")) as server:
        server.execute("CREATE TABLE otel.arrived AS otel.otel_traces ENGINE = Memory")
        yield server


def stored(server: ClickHouse, *blocks: bytes) -> list[tuple[Any, ...]]:
    server.execute("TRUNCATE TABLE otel.arrived")
    server.insert("otel.arrived", b"".join(blocks))
    return [tuple(row) for row in server.query(f"SELECT {', '.join(oracle.COLUMNS)} FROM otel.arrived")]


def compare(rows: list[tuple[Any, ...]], expected: list[tuple[Any, ...]]) -> None:
    assert rows == expected
    for row, wanted in zip(rows, expected, strict=True):
        assert [list(cell) for cell in row if isinstance(cell, dict)] == [
            list(cell) for cell in wanted if isinstance(cell, dict)
        ], "keys of maps are sorted"


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(request=world.requests)
def test_any_request_in_protobuf_and_json(server: ClickHouse, request: ExportTraceServiceRequest) -> None:
    expected = oracle.rows(request)
    spans = sum(len(scoped.spans) for group in request.resource_spans for scoped in group.scope_spans)
    encoded = columnar.encode_traces(request.SerializeToString())
    assert encoded.rejected == spans - len(expected)
    assert bool(encoded.message) == bool(encoded.rejected) == bool(encoded.causes)
    from_json = columnar.encode_traces(oracle.to_otlp_json(request), json=True).blocks
    assert [block.data for block in from_json] == [block.data for block in encoded.blocks]
    assert bool(expected) == bool(encoded.blocks)
    by_day = oracle.by_day(expected)
    assert [(block.table, block.day, block.rows) for block in encoded.blocks] == [
        ("otel_traces", day, len(rows)) for day, rows in by_day
    ]
    for block, (_, rows) in zip(encoded.blocks, by_day, strict=True):
        assert columnar.native_block_length(block.data) == len(block.data)
        compare(stored(server, block.data), rows)


def test_recorded_traffic(server: ClickHouse) -> None:
    if not RECORDED.is_dir():
        pytest.skip(f"recorded incidents are not here: {RECORDED}")
    with zstandard.open(RECORDED / "spans.otlp.zst", "rb") as stream:
        bodies = list(oracle.delimited(stream.read()))
    expected = [row for body in bodies for row in oracle.rows(ExportTraceServiceRequest.FromString(body))]
    blocks = [columnar.encode_traces(gzip.compress(body), coding="gzip").blocks[0].data for body in bodies]
    assert len(expected) > 5000
    compare(stored(server, *blocks), expected)


def test_many_different_words_widen_the_dictionary_keys(server: ClickHouse) -> None:
    for count in (300, 70_000):
        request = world.request(*(world.span(f"GET /{place}") for place in range(count)))
        rows = stored(server, columnar.encode_traces(request.SerializeToString()).blocks[0].data)
        assert [row[5] for row in rows] == [f"GET /{place}" for place in range(count)]


def test_text_that_is_not_utf8_is_repaired(server: ClickHouse) -> None:
    body = world.request(world.span("caf__")).SerializeToString().replace(b"caf__", b"caf\xe9!")
    assert stored(server, columnar.encode_traces(body).blocks[0].data)[0][5] == "caf�!"


def test_blocks_fit_the_real_table(server: ClickHouse) -> None:
    request = world.request(*(world.span(start_time_unix_nano=day * 86_400 * 10**9) for day in range(1, 200)))
    encoded = columnar.encode_traces(request.SerializeToString())
    assert [(block.day, block.rows) for block in encoded.blocks] == [(day, 1) for day in range(1, 65)]
    assert encoded.causes == {"too_many_days": 199 - columnar.MOST_DAYS}
    for block in encoded.blocks:
        server.insert("otel.otel_traces", block.data)
    assert server.query("SELECT count(), uniq(toDate(Timestamp)) FROM otel.otel_traces") == [[64, 64]]
