"""Windows from raw spans: own time under concurrency, whose error it is, both ends of edges, gaps in traces."""

from __future__ import annotations

import random

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Status
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan

from rootcause.load.from_spans import window_of
from rootcause.load.spans import Kind, Span, from_otlp
from rootcause.load.window import Called, Interval, Served, Window

MS = 1_000_000
AT = 1_700_000_000
HOUR = [Interval(AT, AT + 3600)]


def span(
    id: str,
    parent: str,
    service: str,
    start_ms: float,
    ms: float,
    *,
    kind: Kind = Kind.SERVER,
    failed: bool = False,
    peer: str = "",
    name: str = "work",
) -> Span:
    start = AT * 1000 * MS + round(start_ms * MS)
    return Span("t", id, parent, service, "v1", f"{service}-1", name, kind, start, round(ms * MS), failed, peer)


def served(window: Window, service: str) -> Served:
    (row,) = [row for row in window.served if row.service == service]
    return row


def edge(window: Window, source: str, destination: str, *, by_source: bool) -> Called:
    ends = source, destination, by_source
    (row,) = [row for row in window.called if (row.source, row.destination, row.by_source) == ends]
    return row


CONCURRENT = [
    span("a", "", "front", 0, 100),
    span("b", "a", "front", 10, 50, kind=Kind.CLIENT),
    span("c", "a", "front", 20, 60, kind=Kind.CLIENT),
    span("d", "b", "cart", 12, 44),
    span("e", "c", "catalog", 5_000_000, 52),
]


def test_concurrent_calls_count_once_and_foreign_clocks_not_at_all() -> None:
    window = window_of(CONCURRENT, [Interval(AT, AT + 1e5)])
    # In flight from 10 to 80 ms: the callee whose clock is an hour ahead changes nothing.
    assert served(window, "front").buckets[0].own_ms == pytest.approx(30)
    assert served(window, "cart").buckets[0].own_ms == pytest.approx(44)
    assert served(window, "front").entry
    assert not served(window, "cart").entry


def test_both_ends_of_an_edge() -> None:
    window = window_of(CONCURRENT, [Interval(AT, AT + 1e5)])
    assert edge(window, "front", "catalog", by_source=True).buckets[0].total_ms == pytest.approx(60)
    assert edge(window, "front", "catalog", by_source=False).buckets[0].total_ms == pytest.approx(52)


def test_order_of_arrival_does_not_matter() -> None:
    shuffled = list(CONCURRENT)
    random.Random(3).shuffle(shuffled)
    first, second = window_of(CONCURRENT, HOUR), window_of(shuffled, HOUR)
    assert {(row.service, row.buckets) for row in first.served} == {(row.service, row.buckets) for row in second.served}


def test_an_error_belongs_to_the_deepest_that_failed() -> None:
    spans = [
        span("a", "", "front", 0, 100, failed=True),
        span("b", "a", "front", 10, 50, kind=Kind.CLIENT, failed=True),
        span("c", "b", "cart", 12, 44, failed=True),
    ]
    window = window_of(spans, HOUR)
    assert served(window, "front").buckets[0].own_errors == 0
    assert served(window, "front").buckets[0].errors == 1
    assert served(window, "cart").buckets[0].own_errors == 1


def test_a_swallowed_error_is_the_service_s_own() -> None:
    spans = [
        span("a", "", "front", 0, 100),
        span("b", "a", "front", 10, 50, kind=Kind.INTERNAL, failed=True, name="load"),
    ]
    bucket = served(window_of(spans, HOUR), "front").buckets[0]
    assert (bucket.errors, bucket.own_errors) == (0, 1)


def test_a_lost_call_is_the_link_s_and_not_the_caller_s() -> None:
    spans = [
        span("a", "", "front", 0, 100, failed=True),
        span("b", "a", "front", 10, 50, kind=Kind.CLIENT, failed=True, peer="db"),
    ]
    window = window_of(spans, HOUR)
    assert served(window, "front").buckets[0].own_errors == 0
    assert edge(window, "front", "db", by_source=True).buckets[0].errors == 1
    assert edge(window, "front", "db", by_source=True).buckets[0].calls == 1


def test_a_span_whose_parent_is_missing_is_a_request() -> None:
    window = window_of([span("d", "lost", "cart", 0, 40)], HOUR)
    assert served(window, "cart").buckets[0].calls == 1


def test_steps_count_requests_that_take_them() -> None:
    spans = [
        span("a", "", "front", 0, 100),
        span("b", "a", "front", 10, 20, kind=Kind.INTERNAL, name="SELECT"),
        span("c", "a", "front", 40, 20, kind=Kind.INTERNAL, name="SELECT"),
        span("x", "", "front", 0, 100),
    ]
    steps = {step.name: (step.often, step.requests) for step in window_of(spans, HOUR).steps}
    assert steps == {"": (((1, 2),), 2), "SELECT": (((2, 1),), 2)}


def test_spans_outside_the_intervals_are_left_out() -> None:
    assert window_of(CONCURRENT, [Interval(AT - 10, AT)]).served == ()


@pytest.mark.parametrize(
    ("attribute", "code", "failed"),
    [
        ("rpc.response.status_code", AnyValue(string_value="NOT_FOUND"), False),
        ("rpc.response.status_code", AnyValue(string_value="UNAVAILABLE"), True),
        ("rpc.grpc.status_code", AnyValue(int_value=5), False),
        ("rpc.grpc.status_code", AnyValue(int_value=14), True),
    ],
)
def test_a_code_of_grpc_says_whose_fault_it_is(attribute: str, code: AnyValue, failed: bool) -> None:
    ended = [KeyValue(key=attribute, value=code)]
    otlp = OtlpSpan(trace_id=b"t" * 16, span_id=b"s" * 8, status=Status(code=2), attributes=ended)
    request = ExportTraceServiceRequest(resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=[otlp])])])
    assert [span.failed for span in from_otlp(request)] == [failed]


@pytest.mark.parametrize(("status", "failed"), [(404, False), (503, True), (None, True)])
def test_a_refusal_is_no_failure(status: int | None, failed: bool) -> None:
    answered = [KeyValue(key="http.response.status_code", value=AnyValue(int_value=status))] if status else []
    otlp = OtlpSpan(trace_id=b"t" * 16, span_id=b"s" * 8, status=Status(code=2), attributes=answered)
    request = ExportTraceServiceRequest(resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=[otlp])])])
    (found,) = from_otlp(request)
    assert found.failed == failed
