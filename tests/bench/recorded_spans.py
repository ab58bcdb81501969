"""Trace requests without end: recorded ones where they are at hand, made ones otherwise, no two spans alike."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from pathlib import Path

import zstandard
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.world import otlp_requests as world

RECORDED = Path(__file__).parents[3] / "shared" / "rca" / "nezha-trainticket"
_CASES = 4
_MADE = 1_000
_ATTRIBUTES = {
    "http.request.method": "GET",
    "http.response.status_code": "200",
    "http.route": "/checkout/{id}",
    "url.path": "/checkout/31415",
    "mesh.source.service": "front",
    "mesh.destination.service": "checkout",
    "network.protocol.version": "1.1",
}


def requests_of() -> Iterator[tuple[bytes, int]]:
    """Requests as bytes, each with how many spans it has. The recordings come again and again, with other ids."""
    recorded = [read for path in sorted(RECORDED.glob("*/spans.otlp.zst"))[:_CASES] for read in _messages(path)]
    for turn in itertools.count():
        for message in recorded or [_made()]:
            _renumber(message, turn)
            held = sum(len(scope.spans) for resource in message.resource_spans for scope in resource.scope_spans)
            yield message.SerializeToString(), held


def _messages(path: Path) -> Iterator[ExportTraceServiceRequest]:
    """Each behind its length as an unsigned LEB128 number."""
    data = io.BytesIO(zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read())
    while first := data.read(1):
        size, shift = first[0] & 127, 7
        while first[0] & 128:
            first = data.read(1)
            size |= (first[0] & 127) << shift
            shift += 7
        yield ExportTraceServiceRequest.FromString(data.read(size))


def _renumber(message: ExportTraceServiceRequest, turn: int) -> None:
    """Each turn is another copy of the traces: parents stay parents."""
    mark = turn.to_bytes(2, "big")
    for resource in message.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                span.trace_id = mark + span.trace_id[2:]


def _made() -> ExportTraceServiceRequest:
    attributes = [world.attribute(key, value) for key, value in _ATTRIBUTES.items()]
    return world.request(*(world.span("GET /checkout/{id}", attributes=attributes) for _ in range(_MADE)))
