"""The signals of OTLP: where each is received, and how its answers look."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse


@dataclass(frozen=True)
class _Words:
    service: str
    response: type[Any]
    rejected: str


class Signal(Enum):
    """A kind of telemetry; the value is its name in paths, labels and log lines."""

    TRACES = "traces"
    METRICS = "metrics"
    LOGS = "logs"

    @property
    def path(self) -> str:
        """Of OTLP/HTTP."""
        return f"/v1/{self.value}"

    @property
    def service(self) -> str:
        """Of OTLP/gRPC; its one method is Export."""
        return f"opentelemetry.proto.collector.{_WORDS[self].service}"

    def answer(self, rejected: int, message: str) -> Message:
        """The response to a request that was taken; `partial_success` stays unset when all of it was."""
        words = _WORDS[self]
        response: Message = words.response()
        if rejected or message:
            partial: Any = response.partial_success
            setattr(partial, words.rejected, rejected)
            partial.error_message = message
        return response


_WORDS = {
    Signal.TRACES: _Words("trace.v1.TraceService", ExportTraceServiceResponse, "rejected_spans"),
    Signal.METRICS: _Words("metrics.v1.MetricsService", ExportMetricsServiceResponse, "rejected_data_points"),
    Signal.LOGS: _Words("logs.v1.LogsService", ExportLogsServiceResponse, "rejected_log_records"),
}
