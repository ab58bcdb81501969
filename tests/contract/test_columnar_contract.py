"""The encoder's boundary: its stub tells the truth, and its blocks have the columns of the tables."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
    Summary,
    SummaryDataPoint,
)

from collector import _columnar as columnar
from tests.world import otlp_requests as world
from tests.world.clickhouse import clickhouse

ROOT = Path(__file__).parents[2]


def test_stub_tells_the_truth() -> None:
    assert (ROOT / "collector" / "_columnar.pyi").is_file()
    checked = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "collector._columnar"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout


def every_kind() -> tuple[columnar.Block, ...]:
    """One block for each table of OTLP."""
    at = {"time_unix_nano": world.START_NS}
    metrics = [
        Metric(gauge=Gauge(data_points=[NumberDataPoint(**at)])),
        Metric(sum=Sum(data_points=[NumberDataPoint(**at)])),
        Metric(histogram=Histogram(data_points=[HistogramDataPoint(**at)])),
        Metric(exponential_histogram=ExponentialHistogram(data_points=[ExponentialHistogramDataPoint(**at)])),
        Metric(summary=Summary(data_points=[SummaryDataPoint(**at)])),
    ]
    points = ExportMetricsServiceRequest(
        resource_metrics=[ResourceMetrics(scope_metrics=[ScopeMetrics(metrics=metrics)])]
    )
    records = ExportLogsServiceRequest(resource_logs=[ResourceLogs(scope_logs=[ScopeLogs(log_records=[LogRecord()])])])
    return (
        *columnar.encode_traces(world.request(world.span()).SerializeToString()).blocks,
        *columnar.encode_metrics(points.SerializeToString()).blocks,
        *columnar.encode_logs(records.SerializeToString(), received_ns=world.START_NS).blocks,
    )


def test_columns_are_those_of_the_tables(tmp_path: Path) -> None:
    blocks = every_kind()
    assert len({block.table for block in blocks}) == 7
    path = tmp_path / "request.native"
    with clickhouse(tmp_path) as server:
        for block in blocks:
            path.write_bytes(block.data)
            written = server.query(f"DESCRIBE file('{path}', Native)")
            declared = server.query(
                f"""SELECT name, type FROM system.columns
                    WHERE database = 'otel' AND table = '{block.table}' AND default_kind = ''"""
            )
            assert sorted(column[:2] for column in written) == sorted(declared), block.table


def test_nothing_sent_is_nothing_stored() -> None:
    assert columnar.encode_traces(b"").blocks == columnar.encode_metrics(b"").blocks == ()
    assert columnar.encode_logs(b"", received_ns=1).blocks == ()
