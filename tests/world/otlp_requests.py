"""Trace requests for tests: one span as an SDK would send it, and any request at all for property tests."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    InstrumentationScope,
    KeyValue,
    KeyValueList,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

START_NS = 1_790_000_000_000_000_000
_serial = itertools.count(1)


def attribute(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def span(name: str = "GET /", **fields: Any) -> Span:
    """A valid span with ids that no other span of this process has."""
    serial = next(_serial)
    defaults: dict[str, Any] = {
        "trace_id": serial.to_bytes(16, "big"),
        "span_id": serial.to_bytes(8, "big"),
        "kind": Span.SPAN_KIND_SERVER,
        "start_time_unix_nano": START_NS,
        "end_time_unix_nano": START_NS + 1_000_000,
    }
    return Span(name=name, **{**defaults, **fields})


def request(*spans: Span, service: str = "shop") -> ExportTraceServiceRequest:
    resource = Resource(attributes=[attribute("service.name", service)])
    return ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(resource=resource, scope_spans=[ScopeSpans(spans=spans)])]
    )


texts = st.text(st.characters(codec="utf-8"), max_size=12)
_keys = st.sampled_from(["", "http.method", "service.name", "a", "é", "日本"]) | texts
times = st.integers(1, (2**32 - 1) * 1_000_000_000)
_scalars = st.one_of(
    st.just(AnyValue()),
    st.builds(lambda value: AnyValue(string_value=value), texts),
    st.builds(lambda value: AnyValue(bool_value=value), st.booleans()),
    st.builds(lambda value: AnyValue(int_value=value), st.integers(-(2**63), 2**63 - 1)),
    st.builds(lambda value: AnyValue(double_value=value), st.floats()),
    st.builds(lambda value: AnyValue(bytes_value=value), st.binary(max_size=12)),
)


def _nest(inner: st.SearchStrategy[AnyValue]) -> st.SearchStrategy[AnyValue]:
    pairs = st.lists(st.builds(lambda key, value: KeyValue(key=key, value=value), _keys, inner), max_size=3)
    return st.builds(
        lambda values: AnyValue(array_value=ArrayValue(values=values)), st.lists(inner, max_size=3)
    ) | st.builds(lambda values: AnyValue(kvlist_value=KeyValueList(values=values)), pairs)


values = st.recursive(_scalars, _nest, max_leaves=6)
attribute_lists = st.lists(st.builds(lambda key, value: KeyValue(key=key, value=value), _keys, values), max_size=5)


def ids(length: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=length, max_size=length)


_events = st.builds(
    lambda time, name, attributes: Span.Event(time_unix_nano=time, name=name, attributes=attributes),
    times,
    texts,
    attribute_lists,
)
_links = st.builds(
    lambda trace, span, state, attributes: Span.Link(
        trace_id=trace, span_id=span, trace_state=state, attributes=attributes
    ),
    ids(16),
    ids(8),
    texts,
    attribute_lists,
)
_spans = st.builds(
    Span,
    trace_id=ids(16) | st.binary(max_size=17),
    span_id=ids(8) | st.binary(max_size=9),
    parent_span_id=ids(8) | st.sampled_from([b"", bytes(8), b"short"]),
    trace_state=texts,
    name=texts,
    kind=st.integers(0, 9),
    start_time_unix_nano=times | st.sampled_from([0, 2**64 - 1]),
    end_time_unix_nano=times | st.just(0),
    attributes=attribute_lists,
    events=st.lists(_events, max_size=2),
    links=st.lists(_links, max_size=2),
    status=st.builds(lambda code, message: Status(code=code, message=message), st.integers(0, 4), texts),
)
_scoped = st.builds(
    lambda name, version, spans: ScopeSpans(scope=InstrumentationScope(name=name, version=version), spans=spans),
    texts,
    texts,
    st.lists(_spans, max_size=3),
)
_grouped = st.builds(
    lambda attributes, scoped: ResourceSpans(resource=Resource(attributes=attributes), scope_spans=scoped),
    attribute_lists,
    st.lists(_scoped, max_size=2),
)
requests = st.builds(lambda groups: ExportTraceServiceRequest(resource_spans=groups), st.lists(_grouped, max_size=2))
