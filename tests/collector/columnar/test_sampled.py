"""Spans as tail sampling decided of them: those left out go to a table of their own, those sampled say their weight."""

from __future__ import annotations

import json

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from collector import _columnar as columnar
from collector.sample.terms import TailPart
from tests.world import otlp_requests as world

DAY_NS = 86_400 * 10**9


def span(trace: int, **fields: object) -> Span:
    return world.span(trace_id=trace.to_bytes(16, "big"), **fields)


def verdict(body: bytes, **terms: object) -> bytes:
    tail = TailPart.model_validate({"rare": 0, "wait_s": 1, **terms}).tail(1 << 30)
    facts = columnar.encode_traces(body, facts=True).facts
    assert facts is not None
    tail.see(1, len(body), facts, 0)
    assert tail.due(10**9 - 1) == []
    ((number, decided),) = tail.due(10**9)
    assert (number, tail.waiting()) == (1, (0, 0, 0, 0))
    return decided


@pytest.mark.parametrize(
    "fields",
    [
        {"status": Status(code=Status.STATUS_CODE_ERROR)},
        {"attributes": [world.attribute("mesh.reason", "breaker_open")]},
        {"attributes": [world.attribute("mesh.policy.audit", "policy_denied")]},
        {"attributes": [world.attribute("mesh.adjusted_count", "3")]},
        {"name": "mesh.change"},
    ],
    ids=["failed", "reason", "audited", "weighted", "mesh"],
)
def test_what_matters_goes_to_the_table_of_spans_with_its_trace(fields: dict[str, object]) -> None:
    body = world.request(span(1), span(2), span(1, **fields)).SerializeToString()
    blocks = columnar.encode_traces(body, verdict=verdict(body, sample=0)).blocks
    assert [(block.table, block.rows) for block in blocks] == [("otel_traces", 2), ("mesh_unkept", 1)]


def test_what_is_usual_is_left_out() -> None:
    usual = [world.attribute("mesh.reason", "client_cancelled")]
    body = world.request(span(1), span(2, attributes=usual)).SerializeToString()
    (block,) = columnar.encode_traces(body, verdict=verdict(body, sample=0)).blocks
    assert (block.table, block.rows) == ("mesh_unkept", 2)


def test_days_and_rejected_spans_are_those_of_the_request() -> None:
    spans = [span(place, start_time_unix_nano=place * DAY_NS) for place in range(1, columnar.MOST_DAYS + 3)]
    body = world.request(*spans).SerializeToString()
    taken = columnar.encode_traces(body)
    decided = columnar.encode_traces(body, verdict=verdict(body, sample=0.5))
    assert {block.table for block in decided.blocks} == {"otel_traces", "mesh_unkept"}
    assert (decided.rejected, sum(block.rows for block in decided.blocks)) == (2, columnar.MOST_DAYS)
    assert sorted(block.day for block in decided.blocks) == [block.day for block in taken.blocks]


def test_a_weight_is_an_attribute_that_no_limit_leaves_out() -> None:
    body = world.request(
        *(span(trace, attributes=[world.attribute("z", "1"), world.attribute("a", "2")]) for trace in range(1, 30))
    ).SerializeToString()
    rules = columnar.Rules(json.dumps({"redact": [], "count": 2}))
    blocks = columnar.encode_traces(body, verdict=verdict(body, sample=0.3), rules=rules).blocks
    (stored,) = [block for block in blocks if block.table == "otel_traces"]
    weights = stored.data.count(b"\x073.33333")
    assert weights == stored.rows > 0


def test_bytes_that_are_no_verdict_are_refused() -> None:
    with pytest.raises(ValueError, match="no verdict"):
        columnar.encode_traces(b"", verdict=b"")
