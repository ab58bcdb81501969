"""What a trace request must look like as rows of `otel_traces`, worked out the slow and obvious way.

In: protobuf messages of opentelemetry-proto. Out: one tuple a row, in the order of `COLUMNS`. Never: our encoder.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

Row = tuple[Any, ...]

COLUMNS = (
    "toUnixTimestamp64Nano(Timestamp)",
    "TraceId",
    "SpanId",
    "ParentSpanId",
    "TraceState",
    "SpanName",
    "SpanKind",
    "ServiceName",
    "ResourceAttributes",
    "ScopeName",
    "ScopeVersion",
    "SpanAttributes",
    "Duration",
    "StatusCode",
    "StatusMessage",
    "arrayMap(at -> toUnixTimestamp64Nano(at), Events.Timestamp)",
    "Events.Name",
    "Events.Attributes",
    "Links.TraceId",
    "Links.SpanId",
    "Links.TraceState",
    "Links.Attributes",
)

KINDS = ("Unspecified", "Internal", "Server", "Client", "Producer", "Consumer")
STATUSES = ("Unset", "Ok", "Error")
LATEST_NS = (2**32 - 1) * 1_000_000_000


def rows(request: ExportTraceServiceRequest) -> list[Row]:
    """The rows of all spans that the table can hold, in order."""
    return [
        _row(span, scoped.scope, group.resource.attributes)
        for group in request.resource_spans
        for scoped in group.scope_spans
        for span in scoped.spans
        if is_storable(span)
    ]


def by_day(rows: list[Row], time: int = 0) -> list[tuple[int, list[Row]]]:
    """The rows of each day since 1970, in order of days; `time` is the place of their time."""
    days: dict[int, list[Row]] = {}
    for row in rows:
        days.setdefault(row[time] // 86_400_000_000_000, []).append(row)
    return sorted(days.items())


def is_storable(span: Span) -> bool:
    return (
        len(span.trace_id) == 16
        and any(span.trace_id)
        and len(span.span_id) == 8
        and any(span.span_id)
        and len(span.parent_span_id) in (0, 8)
        and 0 < span.start_time_unix_nano <= LATEST_NS
        and all(event.time_unix_nano <= LATEST_NS for event in span.events)
    )


def _row(span: Span, scope: Any, resource: Iterable[KeyValue]) -> Row:
    resource_attributes = attributes(resource)
    return (
        span.start_time_unix_nano,
        span.trace_id.hex(),
        span.span_id.hex(),
        _id(span.parent_span_id),
        span.trace_state,
        span.name,
        _named(KINDS, span.kind),
        resource_attributes.get("service.name", ""),
        resource_attributes,
        scope.name,
        scope.version,
        attributes(span.attributes),
        max(0, span.end_time_unix_nano - span.start_time_unix_nano),
        _named(STATUSES, span.status.code),
        span.status.message,
        [event.time_unix_nano for event in span.events],
        [event.name for event in span.events],
        [attributes(event.attributes) for event in span.events],
        [_id(link.trace_id) for link in span.links],
        [_id(link.span_id) for link in span.links],
        [link.trace_state for link in span.links],
        [attributes(link.attributes) for link in span.links],
    )


def attributes(pairs: Iterable[KeyValue]) -> dict[str, str]:
    """The map of an attribute list: keys sorted, the last of equal ones wins."""
    found = {pair.key: text(pair.value) for pair in pairs}
    return dict(sorted(found.items(), key=lambda item: item[0].encode()))


def text(value: AnyValue) -> str:
    kind = value.WhichOneof("value")
    if kind is None:
        return ""
    if kind == "string_value":
        return value.string_value
    if kind in ("array_value", "kvlist_value"):
        return _json(value)
    return _scalar(value, kind)


def _scalar(value: AnyValue, kind: str) -> str:
    match kind:
        case "bool_value":
            return "true" if value.bool_value else "false"
        case "int_value":
            return str(value.int_value)
        case "double_value":
            return number(value.double_value)
        case "bytes_value":
            return base64.b64encode(value.bytes_value).decode()
    raise AssertionError(f"no such kind of value: {kind}")


def _json(value: AnyValue) -> str:
    kind = value.WhichOneof("value")
    match kind:
        case None:
            return "null"
        case "array_value":
            return "[" + ",".join(_json(item) for item in value.array_value.values) + "]"
        case "kvlist_value":
            last = {pair.key: _json(pair.value) for pair in value.kvlist_value.values}
            ordered = sorted(last.items(), key=lambda item: item[0].encode())
            return "{" + ",".join(f"{_quoted(key)}:{shown}" for key, shown in ordered) + "}"
        case "string_value":
            return _quoted(value.string_value)
    shown = _scalar(value, kind)
    is_word = kind == "bytes_value" or (kind == "double_value" and not math.isfinite(value.double_value))
    return f'"{shown}"' if is_word else shown


def _quoted(plain: str) -> str:
    return _ESCAPED.sub(lambda pair: _GO.get(pair[0], pair[0]), json.dumps(plain, ensure_ascii=False))


_ESCAPED = re.compile(r"\\.")
_GO = {r"\b": r"\u0008", r"\f": r"\u000c"}


def number(value: float) -> str:
    """ECMAScript's Number::toString, from Python's shortest digits."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)
    minus = "-" if sign else ""
    if not any(digits):
        return minus + "0"
    shown, point = "".join(map(str, digits)), len(digits) + exponent
    if -6 < point <= 21:
        if point <= 0:
            return f"{minus}0.{'0' * -point}{shown}"
        return minus + (shown.ljust(point, "0") if len(shown) <= point else f"{shown[:point]}.{shown[point:]}")
    fraction = f".{shown[1:]}" if len(shown) > 1 else ""
    return f"{minus}{shown[0]}{fraction}e{point - 1:+d}"


def _id(raw: bytes) -> str:
    return raw.hex() if any(raw) else ""


def _named(names: tuple[str, ...], place: int) -> str:
    return names[place] if 0 <= place < len(names) else names[0]


def to_otlp_json(request: Message) -> bytes:
    """The request as OTLP/JSON: protobuf's own mapping, except that ids are hexadecimal."""
    return json.dumps(_with_hex_ids(json_format.MessageToDict(request, use_integers_for_enums=True))).encode()


def _with_hex_ids(part: Any) -> Any:
    if isinstance(part, list):
        return [_with_hex_ids(item) for item in part]
    if isinstance(part, dict):
        ids = ("traceId", "spanId", "parentSpanId")
        return {
            name: base64.b64decode(value).hex() if name in ids else _with_hex_ids(value) for name, value in part.items()
        }
    return part


def delimited(stream: bytes) -> Iterator[bytes]:
    """The messages of a stream in which each follows its length as a varint."""
    at = 0
    while at < len(stream):
        length = shift = 0
        while True:
            byte = stream[at]
            at += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        yield stream[at : at + length]
        at += length
