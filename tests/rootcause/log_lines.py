"""Log lines of simulated requests, as an application would export them."""

from __future__ import annotations

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from rootcause.load.spans import Span
from tests.rootcause.stored import post
from tests.world.collectors import Collector


class Lines:
    """Log records on their way to a collector."""

    def __init__(self) -> None:
        self.request = ExportLogsServiceRequest()

    def add(
        self, span: Span, body: str | dict[str, str], severity: int = 9, text: str = "INFO", *, id: str | None = None
    ) -> None:
        """One written in the span, whose id may be another or none."""
        resource = self.request.resource_logs.add()
        resource.resource.attributes.add(key="service.name").value.string_value = span.service
        record = resource.scope_logs.add().log_records.add(
            time_unix_nano=span.start_ns + 1000, severity_number=severity, severity_text=text
        )
        record.trace_id = bytes.fromhex(span.trace)
        record.span_id = bytes.fromhex(span.id if id is None else id)
        if isinstance(body, str):
            record.body.string_value = body
        else:
            for key, value in body.items():
                record.body.kvlist_value.values.add(key=key).value.string_value = value

    def send(self, running: Collector) -> None:
        post(running.url("http", "/v1/logs"), self.request.SerializeToString())
        running.settle()
