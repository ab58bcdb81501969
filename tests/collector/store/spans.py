"""Blocks of mesh spans as the collector would insert them."""

from __future__ import annotations

from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from collector._columnar import encode_traces
from tests.world.otlp_requests import START_NS, attribute, request, span


def mesh_block(calls: int, *, source: str = "front", destination: str = "payments", failed: int = 0) -> bytes:
    """`calls` server spans of one edge as a Native block for `otel_traces`; the first `failed` of them answered 503."""
    spans = [_server_span(number, source, destination, failed=number < failed) for number in range(calls)]
    return encode_traces(request(*spans, service=destination).SerializeToString()).blocks[0].data


def call_block(*codes: str, destination: str = "cart") -> bytes:
    """A client span of a gRPC call for each of these codes, as a Native block for `otel_traces`."""
    return (
        encode_traces(
            request(*(_client_call(code, destination) for code in codes), service="front").SerializeToString()
        )
        .blocks[0]
        .data
    )


def tunnel_block(destination: str) -> bytes:
    """Both spans of a connection of an hour that took 2 ms to open, and of a WebSocket accepted after 3 ms."""
    tunnel = {"mesh.sent_bytes": "0", "mesh.time.connect_us": "2000", "mesh.route": "tcp"}
    upgraded = {"http.response.status_code": "101", "mesh.time.first_byte_us": "3000", "mesh.route": "/live"}
    ends = ((Span.SPAN_KIND_CLIENT, {"mesh.source.service": "front"}), (Span.SPAN_KIND_SERVER, {}))
    spans = [
        span(
            "tcp db",
            kind=kind,
            end_time_unix_nano=START_NS + 3_600_000_000_000,
            attributes=[
                attribute(name, value)
                for name, value in {**of_end, **carried, "mesh.destination.service": destination}.items()
            ],
        )
        for kind, of_end in ends
        for carried in (tunnel, upgraded)
    ]
    return encode_traces(request(*spans, service="front").SerializeToString()).blocks[0].data


def _client_call(code: str, destination: str) -> Span:
    attributes = {
        "http.response.status_code": "200",
        "rpc.response.status_code": code,
        "mesh.source.service": "front",
        "mesh.destination.service": destination,
        "mesh.route": "/shop.Cart/Add",
    }
    return span(
        "shop.Cart/Add",
        kind=Span.SPAN_KIND_CLIENT,
        attributes=[attribute(name, value) for name, value in attributes.items()],
        status=Status(code=Status.STATUS_CODE_UNSET if code == "OK" else Status.STATUS_CODE_ERROR),
    )


def _server_span(number: int, source: str, destination: str, *, failed: bool) -> Span:
    attributes = {
        "http.request.method": "GET",
        "http.response.status_code": "503" if failed else "200",
        "mesh.source.service": source,
        "mesh.destination.service": destination,
        "mesh.destination.version": "v1",
        "mesh.route": "/pay",
        "mesh.time.own_us": "900",
    }
    return span(
        "GET /pay",
        end_time_unix_nano=START_NS + (number + 1) * 1_000_000,
        attributes=[attribute(name, value) for name, value in attributes.items()],
        status=Status(code=Status.STATUS_CODE_ERROR) if failed else Status(),
    )
