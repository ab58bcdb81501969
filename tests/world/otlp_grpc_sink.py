"""The same collector over OTLP/gRPC, served by grpcio.

In: Export calls from a real socket, plain or gzip. Out: spans and log records in an `OtlpSink`.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import grpc
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tests.world.otlp_sink import OtlpSink

TRACES = "opentelemetry.proto.collector.trace.v1.TraceService"
LOGS = "opentelemetry.proto.collector.logs.v1.LogsService"


@dataclass(frozen=True)
class Refusal:
    """A gRPC status instead of an answer; with RetryInfo when there is a delay."""

    code: grpc.StatusCode
    retry_delay_s: float | None = None


@dataclass
class GrpcSink(OtlpSink):
    """Collects what arrives; answers the next calls with `refuse`, first to last."""

    refuse: list[Refusal | ExportTraceServiceResponse] = field(default_factory=list)

    async def export(self, body: bytes, context: grpc.aio.ServicerContext) -> bytes:
        sent = dict(context.invocation_metadata() or ())
        self.ids.append(str(sent["x-whymesh-batch"]))
        answer = self.refuse.pop(0) if self.refuse else ExportTraceServiceResponse()
        if isinstance(answer, Refusal):
            await context.abort(answer.code, "as the test wants", _details(answer))
            raise AssertionError("abort ends the call")
        self.keep(body, len(body))
        raw: bytes = answer.SerializeToString()
        return raw

    async def export_logs(self, body: bytes, _: grpc.aio.ServicerContext) -> bytes:
        self.keep_logs(body, len(body))
        return b""


def _details(refusal: Refusal) -> tuple[tuple[str, bytes], ...]:
    if refusal.retry_delay_s is None:
        return ()
    status, info = Status(code=refusal.code.value[0]), RetryInfo()
    info.retry_delay.FromMilliseconds(round(refusal.retry_delay_s * 1000))
    status.details.add().Pack(info)
    return (("grpc-status-details-bin", status.SerializeToString()),)


@contextlib.asynccontextmanager
async def grpc_sink() -> AsyncIterator[GrpcSink]:
    """A gRPC collector on a port of its own."""
    sink = GrpcSink()
    server = grpc.aio.server(options=(("grpc.max_receive_message_length", 64 << 20),))
    for service, export in ((TRACES, sink.export), (LOGS, sink.export_logs)):
        handler = grpc.unary_unary_rpc_method_handler(export)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"Export": handler}),))
    sink.url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield sink
    finally:
        await server.stop(0.2)
