"""Translates spans of Zipkin's JSON, version 2, to an OTLP request, so that they take the same way as all others.

In: the body of a POST to /api/v2/spans. Out: an ExportTraceServiceRequest as bytes, one resource a service. Never: a
span left out in silence: what OTLP refuses (no id, no time) is refused and counted where OTLP's own are.
Source: Zipkin API 2.0 (zipkin2-api.yaml); OpenTelemetry specification, "Transformation to non-OTLP formats: Zipkin".
"""

from __future__ import annotations

import json
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from collector.errors import Malformed

_KINDS = {
    "CLIENT": Span.SPAN_KIND_CLIENT,
    "SERVER": Span.SPAN_KIND_SERVER,
    "PRODUCER": Span.SPAN_KIND_PRODUCER,
    "CONSUMER": Span.SPAN_KIND_CONSUMER,
}
_CODES = {"OK": Status.STATUS_CODE_OK, "ERROR": Status.STATUS_CODE_ERROR}
_MOST_US = (2**64 - 1) // 1000


def translate(body: bytes) -> bytes:
    """Raises Malformed, which names the span."""
    try:
        spans = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"the body is not JSON: {error}") from None
    if not isinstance(spans, list):
        raise Malformed("expected a JSON array of spans")
    of: dict[str, list[Span]] = {}
    for place, span in enumerate(spans):
        try:
            service = _text(_mapping(span, "localEndpoint"), "serviceName")
            of.setdefault(service, []).append(_span(span))
        except (TypeError, ValueError, OverflowError) as error:
            raise Malformed(f"[{place}]: {error}") from None
    request = ExportTraceServiceRequest(
        resource_spans=[
            ResourceSpans(
                resource=Resource(attributes=[_attribute("service.name", service)] if service else []),
                scope_spans=[ScopeSpans(spans=some)],
            )
            for service, some in of.items()
        ]
    )
    encoded: bytes = request.SerializeToString()
    return encoded


def _span(span: dict[str, Any]) -> Span:
    start = _microseconds(span, "timestamp") * 1000
    tags = {key: _string(value, f"tags.{key}") for key, value in _mapping(span, "tags").items()}
    status = _status(tags)
    kind = span.get("kind")
    if kind is not None and kind not in _KINDS:
        raise ValueError(f"kind: expected one of {', '.join(_KINDS)}, found {kind!r}")
    return Span(
        trace_id=_id(span, "traceId", 16),
        span_id=_id(span, "id", 8),
        parent_span_id=_id(span, "parentId", 8),
        name=_text(span, "name"),
        kind=_KINDS.get(kind or "", Span.SPAN_KIND_INTERNAL),
        start_time_unix_nano=start,
        end_time_unix_nano=start + _microseconds(span, "duration") * 1000,
        attributes=[_attribute(key, value) for key, value in {**_ends(span), **tags}.items()],
        events=[_event(one) for one in span.get("annotations") or ()],
        status=status,
    )


def _event(annotation: Any) -> Span.Event:
    if not isinstance(annotation, dict):
        raise TypeError(f"annotations: expected objects, found {type(annotation).__name__}")
    return Span.Event(time_unix_nano=_microseconds(annotation, "timestamp") * 1000, name=_text(annotation, "value"))


def _ends(span: dict[str, Any]) -> dict[str, str]:
    """Both endpoints in the words of OpenTelemetry; what a sender tagged itself wins."""
    found: dict[str, str] = {}
    for end, words in (("localEndpoint", "network.local"), ("remoteEndpoint", "network.peer")):
        endpoint = _mapping(span, end)
        address = _text(endpoint, "ipv4") or _text(endpoint, "ipv6")
        if address:
            found[f"{words}.address"] = address
        if endpoint.get("port"):
            found[f"{words}.port"] = str(int(endpoint["port"]))
    peer = _text(_mapping(span, "remoteEndpoint"), "serviceName")
    return {**found, "peer.service": peer} if peer else found


def _status(tags: dict[str, str]) -> Status | None:
    """OpenTelemetry's own tags, or Zipkin's `error`; its value is the message unless it only says that there is one."""
    code, message = tags.pop("otel.status_code", ""), tags.pop("otel.status_description", "")
    if code in _CODES:
        return Status(code=_CODES[code], message=message)
    if "error" not in tags or tags["error"] == "false":
        return None
    return Status(code=Status.STATUS_CODE_ERROR, message=tags["error"] if tags["error"] != "true" else "")


def _id(span: dict[str, Any], name: str, length: int) -> bytes:
    """A short trace id is the lower half of a long one."""
    text = _text(span, name)
    if not text:
        return b""
    try:
        return bytes.fromhex(text.rjust(2 * length, "0"))
    except ValueError:
        raise ValueError(f"{name}: expected {2 * length} hexadecimal digits, found {text[:40]!r}") from None


def _microseconds(part: dict[str, Any], name: str) -> int:
    value = int(part.get(name) or 0)
    if not 0 <= value <= _MOST_US // 2:
        raise ValueError(f"{name}: expected microseconds since 1970, found {value}")
    return value


def _mapping(part: Any, name: str) -> dict[str, Any]:
    if not isinstance(part, dict):
        raise TypeError(f"expected an object, found {type(part).__name__}")
    value = part.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise TypeError(f"{name}: expected an object, found {type(value).__name__}")
    return value


def _text(part: dict[str, Any], name: str) -> str:
    value = part.get(name)
    return "" if value is None else _string(value, name)


def _string(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name}: expected a string, found {type(value).__name__}")
    # Lone surrogates are legal in JSON and have no bytes.
    return value.encode(errors="replace").decode()


def _attribute(key: str, value: str) -> KeyValue:
    return KeyValue(key=_string(key, key), value=AnyValue(string_value=value))
