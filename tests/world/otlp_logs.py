"""Log requests for tests, and what they must look like as rows of `otel_logs`, worked out the slow and obvious way."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from tests.world import otlp_oracle as oracle
from tests.world import otlp_requests as world

COLUMNS = (
    "toUnixTimestamp64Nano(Timestamp)",
    "toUnixTimestamp(TimestampTime)",
    "TraceId",
    "SpanId",
    "TraceFlags",
    "SeverityText",
    "SeverityNumber",
    "ServiceName",
    "Body",
    "ResourceSchemaUrl",
    "ResourceAttributes",
    "ScopeSchemaUrl",
    "ScopeName",
    "ScopeVersion",
    "ScopeAttributes",
    "LogAttributes",
    "EventName",
)


def rows(request: ExportLogsServiceRequest, received_ns: int) -> list[tuple[Any, ...]]:
    """The rows of all records that the table can hold, in order."""
    return [
        _row(record, when(record, received_ns), scoped, group)
        for group in request.resource_logs
        for scoped in group.scope_logs
        for record in scoped.log_records
        if when(record, received_ns) <= oracle.LATEST_NS
    ]


def when(record: LogRecord, received_ns: int) -> int:
    return record.time_unix_nano or record.observed_time_unix_nano or received_ns


def _row(record: LogRecord, time: int, scoped: ScopeLogs, group: ResourceLogs) -> tuple[Any, ...]:
    resource = oracle.attributes(group.resource.attributes)
    return (
        time,
        time // 1_000_000_000,
        identity(record.trace_id, 16),
        identity(record.span_id, 8),
        record.flags & 0xFF,
        record.severity_text,
        record.severity_number,
        resource.get("service.name", ""),
        oracle.text(record.body),
        group.schema_url,
        resource,
        scoped.schema_url,
        scoped.scope.name,
        scoped.scope.version,
        oracle.attributes(scoped.scope.attributes),
        oracle.attributes(record.attributes),
        record.event_name,
    )


def identity(raw: bytes, length: int) -> str:
    """An id in hexadecimal, nothing when it is none."""
    return raw.hex() if len(raw) == length and any(raw) else ""


scopes = st.builds(
    InstrumentationScope,
    name=world.texts,
    version=world.texts,
    attributes=world.attribute_lists,
    dropped_attributes_count=st.integers(0, 2**32 - 1),
)
resources = st.builds(Resource, attributes=world.attribute_lists)
_records = st.builds(
    LogRecord,
    time_unix_nano=world.times | st.sampled_from([0, 2**64 - 1]),
    observed_time_unix_nano=world.times | st.just(0),
    severity_number=st.integers(0, 24),
    severity_text=st.sampled_from(["", "INFO", "ERROR"]) | world.texts,
    body=world.values,
    attributes=world.attribute_lists,
    flags=st.integers(0, 2**32 - 1),
    trace_id=world.ids(16) | st.binary(max_size=17),
    span_id=world.ids(8) | st.binary(max_size=9),
    event_name=world.texts,
)
_scoped = st.builds(ScopeLogs, scope=scopes, log_records=st.lists(_records, max_size=3), schema_url=world.texts)
_grouped = st.builds(ResourceLogs, resource=resources, scope_logs=st.lists(_scoped, max_size=2), schema_url=world.texts)
requests = st.builds(ExportLogsServiceRequest, resource_logs=st.lists(_grouped, max_size=2))
