"""Recorded incidents of other makes: spans that say little, files that say the same twice, names that differ."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from rootcause.load.edge_rows import EdgeRow
from rootcause.load.spans import Kind, Span
from tests.rootcause.cases import varint
from tests.rootcause.load.edge_series import series
from tests.rootcause.recordings import INCIDENT, NORMAL, Meters, Row, Wrong, log_rows, ranked, utc
from tests.rootcause.systems import Instrumented, Strangers, Trouble
from tests.world.mesh_sim import Proxied, otlp

Change = Callable[[OtlpSpan], None]

SLOW = Trouble("slow", "cartservice", 80, INCIDENT.start)
FAILING = Trouble("fail", "recommendationservice", 0.5, INCIDENT.start)


def normal(how: Instrumented | None = None) -> list[Span]:
    return Strangers(7, 1.0, how=how or Instrumented()).run(NORMAL.start, NORMAL.seconds)


def incident(*troubles: Trouble, how: Instrumented | None = None) -> list[Span]:
    return Strangers(8, 1.0, troubles, how or Instrumented()).run(INCIDENT.start, INCIDENT.seconds)


def as_it_is(span: OtlpSpan) -> None:
    """No change."""


def packed(spans: Iterable[Span], change: Change = as_it_is) -> bytes:
    """As a recorded file."""
    found = []
    for request in otlp([Proxied(span) for span in spans]):
        for of in request.resource_spans:
            for span in of.scope_spans[0].spans:
                change(span)
        body = request.SerializeToString()
        found.append(varint(len(body)) + body)
    return zstandard.compress(b"".join(found))


def without_kind(span: OtlpSpan) -> None:
    span.kind = OtlpSpan.SPAN_KIND_UNSPECIFIED


def told_by(name: str, value: AnyValue) -> Change:
    """What failed is told by an attribute, and no status."""

    def change(span: OtlpSpan) -> None:
        if span.status.code == Status.STATUS_CODE_ERROR:
            span.attributes.append(KeyValue(key=name, value=value))
        span.ClearField("status")

    return change


@pytest.mark.parametrize(
    ("how", "change"),
    [
        (Instrumented(), without_kind),
        (Instrumented(clients=False), as_it_is),
        (Instrumented(clients=False), without_kind),
        (Instrumented(peers=False, skew_s=3.0), as_it_is),
        (Instrumented(kept=0.7), as_it_is),
    ],
    ids=["no kinds", "servers only", "servers only, no kinds", "clocks that differ", "a third is lost"],
)
def test_spans_that_say_little_tell_who_is_slow(tmp_path: Path, how: Instrumented, change: Change) -> None:
    found = ranked(tmp_path, {"spans": packed(normal(how), change)}, {"spans": packed(incident(SLOW, how=how), change)})
    assert found[:1] == ["cartservice"]


@pytest.mark.parametrize(
    "change",
    [
        told_by("error", AnyValue(bool_value=True)),
        told_by("error", AnyValue(string_value="true")),
        told_by("http.status_code", AnyValue(int_value=503)),
        told_by("http.response.status_code", AnyValue(string_value="500")),
        told_by("rpc.grpc.status_code", AnyValue(int_value=14)),
        told_by("otel.status_code", AnyValue(string_value="ERROR")),
    ],
    ids=["error", "error in words", "http of old", "http", "grpc", "another make"],
)
def test_failures_without_a_status_are_known(tmp_path: Path, change: Change) -> None:
    found = ranked(tmp_path, {"spans": packed(normal(), change)}, {"spans": packed(incident(FAILING), change)})
    assert found[:1] == ["recommendationservice"]


def edge_rows(spans: Sequence[Span], by: str = "callee") -> list[Row]:
    """Edges as the callees tell them, from spans of servers whose peer is the service itself."""
    rows = series([replace(span, peer=span.service) for span in spans if span.kind is Kind.SERVER], by)
    return [_edge(row) for row in rows]


def _edge(row: EdgeRow) -> Row:
    return {
        "time": utc(row.start),
        "source": row.source or None,
        "destination": row.destination,
        "requests": int(row.requests),
        "error_rate": row.error_rate,
        "latency_avg": row.mean_ms / 1000,
    }


def node_rows(spans: Sequence[Span]) -> list[Row]:
    return edge_rows(spans, "node")


BOTH = (normal(), incident(SLOW))
QUIET = (normal(), incident())


def test_nodes_with_few_columns_and_a_graph(tmp_path: Path) -> None:
    before, since = map(node_rows, BOTH)
    assert ranked(tmp_path, {"edges": before}, {"edges": since}, graph=True)[:1] == ["cartservice"]


def test_edges_tell_what_sampled_spans_do_not(tmp_path: Path) -> None:
    before, since = ({"spans": packed(sampled(spans, 0.01)), "edges": node_rows(spans)} for spans in BOTH)
    assert ranked(tmp_path, before, since, graph=True)[:1] == ["cartservice"]


def sampled(spans: Sequence[Span], share: float) -> list[Span]:
    """That share of the traces."""
    return [span for span in spans if random.Random(span.trace).random() < share]


def test_metrics_count_beside_edges_that_blame_nobody(tmp_path: Path) -> None:
    meters = Meters(wrong=Wrong("adservice", "cpu", 12))
    before, since = (
        {"edges": node_rows(spans), "metrics": meters.rows(within)}
        for spans, within in zip(QUIET, (NORMAL, INCIDENT), strict=True)
    )
    assert ranked(tmp_path, before, since, graph=True)[:1] == ["adservice"]


def test_logs_count_beside_edges_by_whatever_name(tmp_path: Path) -> None:
    before, since = (
        {"edges": node_rows(spans), "logs": log_rows(within, "cartservice")}
        for spans, within in zip(QUIET, (NORMAL, INCIDENT), strict=True)
    )
    for row in (*before["logs"], *since["logs"]):
        row["service"] = row["service"].removesuffix("service") + "-6d5f9c7b8-x2x4k"
        row["span_id"] = "00f067aa0ba902b7"
    assert ranked(tmp_path, before, since, graph=True)[:1] == ["cartservice"]


def test_logs_whose_spans_nobody_recorded_count_by_time(tmp_path: Path) -> None:
    before, since = (
        {"spans": packed(spans), "logs": log_rows(within, "cartservice", span="00f067aa0ba902b7")}
        for spans, within in zip(QUIET, (NORMAL, INCIDENT), strict=True)
    )
    assert ranked(tmp_path, before, since)[:1] == ["cartservice"]


def test_a_quiet_time_with_everything_blames_nobody(tmp_path: Path) -> None:
    before, since = (
        {"spans": packed(spans), "edges": node_rows(spans), "metrics": Meters().rows(within), "logs": log_rows(within)}
        for spans, within in zip(QUIET, (NORMAL, INCIDENT), strict=True)
    )
    assert ranked(tmp_path, before, since, graph=True) == []


def test_normal_time_may_be_short_and_come_after(tmp_path: Path) -> None:
    after = Strangers(9, 2.0).run(INCIDENT.end + 900, 60)
    window = [[utc(INCIDENT.end + 900), utc(INCIDENT.end + 960)]]
    found = ranked(tmp_path, {"spans": packed(after)}, {"spans": packed(incident(SLOW))}, baseline=window)
    assert found[:1] == ["cartservice"]


def test_empty_files_of_spans_leave_the_rest(tmp_path: Path) -> None:
    meters = Meters(wrong=Wrong("adservice", "cpu", 12))
    before, since = ({"spans": b"", "metrics": meters.rows(within)} for within in (NORMAL, INCIDENT))
    assert ranked(tmp_path, before, since)[:1] == ["adservice"]


def test_one_trace_of_very_many_spans(tmp_path: Path) -> None:
    """A batch job: a chain as deep as it is long."""
    first = next(span for span in BOTH[1] if not span.parent)
    chain = [
        replace(first, id=f"{at + 1:016x}", parent=f"{at:016x}" if at else "", trace="f" * 32, service="batch")
        for at in range(10_000)
    ]
    found = ranked(tmp_path, {"spans": packed(BOTH[0])}, {"spans": packed([*BOTH[1], *chain])})
    assert found[:1] == ["cartservice"]
