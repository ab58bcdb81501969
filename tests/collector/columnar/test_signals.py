"""Metrics and logs: what a real ClickHouse reads from our blocks is what the oracles say the request means."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from collector import _columnar as columnar
from tests.world import otlp_logs, otlp_metrics
from tests.world import otlp_oracle as oracle
from tests.world import otlp_requests as world
from tests.world.clickhouse import ClickHouse, clickhouse

NOW = 1_795_000_000_123_456_789
PATIENT = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    with clickhouse(tmp_path_factory.mktemp("clickhouse")) as server:
        for table in ("otel_logs", *otlp_metrics.COLUMNS):
            server.execute(f"CREATE TABLE otel.arrived_{table} AS otel.{table} ENGINE = Memory")
        yield server


def stored(server: ClickHouse, block: columnar.Block, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    assert columnar.native_block_length(block.data) == len(block.data)
    arrived = f"otel.arrived_{block.table}"
    server.execute(f"TRUNCATE TABLE {arrived}")
    server.insert(arrived, block.data)
    return [tuple(row) for row in server.query(f"SELECT {', '.join(columns)} FROM {arrived}")]


@PATIENT
@given(request=otlp_logs.requests)
def test_any_logs_in_protobuf_and_json(server: ClickHouse, request: ExportLogsServiceRequest) -> None:
    expected = otlp_logs.rows(request, NOW)
    records = sum(len(scoped.log_records) for group in request.resource_logs for scoped in group.scope_logs)
    encoded = columnar.encode_logs(request.SerializeToString(), received_ns=NOW)
    assert encoded.rejected == sum(encoded.causes.values()) == records - len(expected)
    from_json = columnar.encode_logs(oracle.to_otlp_json(request), received_ns=NOW, json=True)
    assert [block.data for block in from_json.blocks] == [block.data for block in encoded.blocks]
    assert bool(expected) == bool(encoded.blocks)
    by_day = oracle.by_day(expected)
    assert [(block.table, block.day) for block in encoded.blocks] == [("otel_logs", day) for day, _ in by_day]
    for block, (_, rows) in zip(encoded.blocks, by_day, strict=True):
        assert block.rows == len(rows)
        assert stored(server, block, otlp_logs.COLUMNS) == rows


@PATIENT
@given(request=otlp_metrics.requests)
def test_any_metrics_in_protobuf_and_json(server: ClickHouse, request: ExportMetricsServiceRequest) -> None:
    expected = otlp_metrics.rows(request)
    encoded = columnar.encode_metrics(request.SerializeToString())
    assert encoded.rejected == sum(encoded.causes.values())
    from_json = columnar.encode_metrics(oracle.to_otlp_json(request), json=True)
    assert [block.data for block in from_json.blocks] == [block.data for block in encoded.blocks]
    by_day = {
        (table, day): some for table, rows in expected.items() for day, some in oracle.by_day(rows, otlp_metrics.TIME)
    }
    assert {(block.table, block.day): block.rows for block in encoded.blocks} == {
        place: len(rows) for place, rows in by_day.items()
    }
    for block in encoded.blocks:
        assert stored(server, block, otlp_metrics.COLUMNS[block.table]) == by_day[block.table, block.day]


def gauges(*times: int, service: str = "shop") -> ExportMetricsServiceRequest:
    points = [NumberDataPoint(time_unix_nano=time, as_int=1) for time in times]
    scoped = ScopeMetrics(metrics=[Metric(name="depth", gauge=Gauge(data_points=points))])
    resource = Resource(attributes=[world.attribute("service.name", service)])
    return ExportMetricsServiceRequest(resource_metrics=[ResourceMetrics(resource=resource, scope_metrics=[scoped])])


def logs(*records: LogRecord) -> ExportLogsServiceRequest:
    return ExportLogsServiceRequest(resource_logs=[ResourceLogs(scope_logs=[ScopeLogs(log_records=records)])])


def test_blocks_fit_the_real_tables(server: ClickHouse) -> None:
    days = [day * 86_400 * 10**9 for day in range(1, 100)]
    metrics = columnar.encode_metrics(gauges(*days).SerializeToString())
    records = columnar.encode_logs(
        logs(*(LogRecord(time_unix_nano=day) for day in days)).SerializeToString(), received_ns=NOW
    )
    for encoded in (metrics, records):
        assert encoded.causes == {"too_many_days": 99 - columnar.MOST_DAYS}
        (table,) = {block.table for block in encoded.blocks}
        for block in encoded.blocks:
            server.insert(f"otel.{table}", block.data)
        assert server.query(f"SELECT count() FROM otel.{table}") == [[columnar.MOST_DAYS]]


def test_points_that_say_no_time_are_named() -> None:
    encoded = columnar.encode_metrics(gauges(0, NOW, 2**64 - 1).SerializeToString())
    assert (encoded.blocks[0].rows, encoded.causes) == (1, {"bad_time": 2})
    assert "2 data points" in encoded.message
    assert '"depth" at 0' in encoded.message


def test_a_resource_repeated_on_many_items_is_bounded() -> None:
    body = gauges(*([NOW] * 1000), service="x" * 50_000).SerializeToString()
    with pytest.raises(columnar.TooLarge, match="as columns: send smaller batches"):
        columnar.encode_metrics(body, limit=150_000)
    request = logs(*([LogRecord(time_unix_nano=NOW)] * 1000))
    request.resource_logs[0].resource.attributes.append(world.attribute("service.name", "x" * 50_000))
    with pytest.raises(columnar.TooLarge, match="as columns: send smaller batches"):
        columnar.encode_logs(request.SerializeToString(), received_ns=NOW, limit=150_000)


@settings(max_examples=200, deadline=None)
@given(request=otlp_metrics.requests, data=st.data())
def test_cut_or_altered_metrics(request: ExportMetricsServiceRequest, data: st.DataObject) -> None:
    for body, is_json in ((request.SerializeToString(), False), (oracle.to_otlp_json(request), True)):
        altered = bytearray(body[: data.draw(st.integers(0, len(body)))])
        if altered:
            altered[data.draw(st.integers(0, len(altered) - 1))] = data.draw(st.integers(0, 255))
        with contextlib.suppress(columnar.DecodeError, columnar.TooLarge):
            for block in columnar.encode_metrics(bytes(altered), json=is_json, limit=1_000_000).blocks:
                assert columnar.native_block_length(block.data) == len(block.data)


@settings(max_examples=200, deadline=None)
@given(request=otlp_logs.requests, data=st.data())
def test_cut_or_altered_logs(request: ExportLogsServiceRequest, data: st.DataObject) -> None:
    for body, is_json in ((request.SerializeToString(), False), (oracle.to_otlp_json(request), True)):
        altered = bytearray(body[: data.draw(st.integers(0, len(body)))])
        if altered:
            altered[data.draw(st.integers(0, len(altered) - 1))] = data.draw(st.integers(0, 255))
        with contextlib.suppress(columnar.DecodeError, columnar.TooLarge):
            encoded = columnar.encode_logs(bytes(altered), received_ns=NOW, json=is_json, limit=1_000_000)
            for block in encoded.blocks:
                assert columnar.native_block_length(block.data) == len(block.data)
