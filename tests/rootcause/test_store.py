"""The engine over a real store: roll-ups tell what spans tell, evidence runs as printed, incidents are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.store.client import Reader
from rootcause.attribute.own_time import call_spread
from rootcause.explain.changes import preceding
from rootcause.explain.finding import Finding
from rootcause.explain.proof import explain
from rootcause.explain.queries import RollupQueries, SpanQueries
from rootcause.incidents.casebook import Casebook
from rootcause.incidents.journal import Delivery, Journal
from rootcause.judge.diagnose import diagnose
from rootcause.load.from_gauges import load_usage
from rootcause.load.from_rollups import load_normal, load_question
from rootcause.load.from_spans import window_of
from rootcause.load.read_changes import read_changes
from rootcause.load.read_spans import read_spans
from rootcause.load.spans import Kind, Span, from_otlp
from rootcause.load.window import Interval, Served, Usage, Window, calls, errors, own_errors
from rootcause.watch import Watch
from tests.rootcause.stored import post, runs, send, store_url
from tests.world.collectors import Collector, collector
from tests.world.mesh_sim import Fault, Proxied, Shop

START = 1_700_000_000.0
FAULT = Fault("crash", "payments", 0, START + 100, instance="payments-1")
HEALED_AT = START + 160
NORMAL, QUESTION = Interval(START, START + 80), Interval(START + 100, START + 120)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """A collector that has seen 160 s of the shop, the last 60 s with a crashed instance, then 60 s of health."""
    with collector(tmp_path_factory.mktemp("collector")) as running:
        send(running, traffic())
        send(running, [rollout()])
        yield running


@pytest.fixture
def reader(running: Collector) -> Iterator[Reader]:
    with Reader(store_url(running)) as reader:
        yield reader


@cache
def traffic() -> list[Proxied]:
    ill = Shop(21, rate=7, faults=(FAULT,)).run(START, HEALED_AT - START)
    return ill + Shop(22, rate=7).run(HEALED_AT, 60)


def rollout() -> Proxied:
    """What the control plane reports of a change."""
    attributes = {
        "mesh.change.kind": "rollout",
        "mesh.change.service": "payments",
        "mesh.change.summary": "payments-1: v0 -> v1",
    }
    at = round((START + 90) * 1e9)
    span = Span("c" * 32, "c" * 16, "", "whymesh-control", "", "", "mesh.change", Kind.INTERNAL, at, 0, False)
    return Proxied(span, attributes)


def totals(rows: Iterable[Served]) -> dict[tuple[str, str, str, bool], Counter[str]]:
    sums: dict[tuple[str, str, str, bool], Counter[str]] = {}
    for row in rows:
        into = sums.setdefault((row.service, row.version, row.instance, row.entry), Counter())
        into.update(calls=calls(row.buckets), errors=errors(row.buckets), own=own_errors(row.buckets))
    return sums


def from_spans(interval: Interval) -> Window:
    return window_of([one.span for one in traffic()], [interval])


@pytest.mark.parametrize("interval", [NORMAL, QUESTION], ids=["normal", "question"])
def test_roll_ups_and_spans_tell_the_same(reader: Reader, interval: Interval) -> None:
    rolled, plain = load_question(reader, [interval]), from_spans(interval)
    assert totals(rolled.served) == totals(plain.served)
    assert rolled.entry_calls == plain.entry_calls > 0
    for service in plain.services - {""}:
        assert own_ms(rolled, service) == pytest.approx(own_ms(plain, service), rel=0.05)
    edges = [{(row.by_source, row.source, row.destination) for row in w.called if row.source} for w in (rolled, plain)]
    assert edges[0] == edges[1]


def test_normal_time_is_the_same_without_instances(reader: Reader) -> None:
    apart, together = load_question(reader, [NORMAL]), load_normal(reader, [NORMAL])
    assert {row.instance for row in together.served} == {""}
    assert len(together.served) < len(apart.served)
    assert together.entry_calls == apart.entry_calls
    assert together.covered_s == apart.covered_s
    for service in apart.services - {""}:
        assert own_ms(together, service) == pytest.approx(own_ms(apart, service))
        assert own_spread(together, service) == pytest.approx(own_spread(apart, service), rel=0.5)
    sums = [
        {(row.by_source, row.source, row.destination): (row.buckets, row.reasons, row.lost) for row in window.called}
        for window in (apart, together)
    ]
    assert sums[0] == sums[1]
    assert all(row.slow_trace for row in apart.called)
    assert all(row.durations is not None for row in together.served if row.entry)


def own_spread(window: Window, service: str) -> float:
    return max(call_spread(row.own) for row in window.served if row.service == service and row.own)


def own_ms(window: Window, service: str) -> float:
    return sum(bucket.own_ms for row in window.served if row.service == service for bucket in row.buckets)


def test_spans_read_back_are_those_sent(reader: Reader) -> None:
    sent = {one.span for one in traffic() if one.span.start_ns / 1e9 in QUESTION}
    assert {span for span in read_spans(reader, [QUESTION]) if span.name != "mesh.change"} == sent


def test_spans_of_others_are_read_from_the_store_as_from_a_recording(running: Collector, reader: Reader) -> None:
    request = of_others()
    post(running.url("http", "/v1/traces"), request.SerializeToString())
    running.settle()
    stored = {span.name: span for span in read_spans(reader, [Interval(OTHERS, OTHERS + 10)])}
    assert stored == {span.name: span for span in from_otlp(request)}
    assert {name for name, span in stored.items() if span.failed} == {f"{index}" for index in FAILED}
    assert {span.instance for span in stored.values()} == {"pod-7"}


OTHERS = START - 600
ENDS: list[tuple[int, str, str | int | bool]] = [
    (0, "error", True),
    (0, "otel.status_code", "ERROR"),
    (0, "http.response.status_code", 500),
    (0, "http.status_code", 503),
    (0, "rpc.grpc.status_code", 14),
    (0, "rpc.response.status_code", "INTERNAL"),
    (2, "http.method", "GET"),
    (0, "http.status_code", 404),
    (0, "error", False),
    (0, "rpc.grpc.status_code", 5),
    (1, "http.status_code", 500),
    (2, "http.status_code", 404),
    (2, "rpc.grpc.status_code", 5),
]
"""Status and what a span says beside it; it failed in the first seven."""
FAILED = range(7)


def of_others() -> ExportTraceServiceRequest:
    """A span of each, from a pod that has no id of its own."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    for name, value in (("service.name", "shop"), ("service.instance.id", ""), ("k8s.pod.name", "pod-7")):
        resource.resource.attributes.add(key=name).value.string_value = value
    spans = resource.scope_spans.add().spans
    for index, (status, name, value) in enumerate(ENDS):
        span = spans.add(name=f"{index}", trace_id=bytes([index + 1] * 16), span_id=bytes([index + 1] * 8), kind=3)
        span.start_time_unix_nano, span.end_time_unix_nano = round(OTHERS + 1) * 10**9, round(OTHERS + 2) * 10**9
        span.status.code = status  # type: ignore[assignment]
        told = span.attributes.add(key=name).value
        if isinstance(value, bool):
            told.bool_value = value
        elif isinstance(value, int):
            told.int_value = value
        else:
            told.string_value = value
        span.attributes.add(key="peer.service").value.string_value = ""
        span.attributes.add(key="server.address").value.string_value = "db"
    return request


def test_the_verdict_is_the_same_from_both(reader: Reader) -> None:
    rolled = diagnose(load_normal(reader, [NORMAL]), load_question(reader, [QUESTION]))
    plain = diagnose(from_spans(NORMAL), from_spans(QUESTION))
    assert rolled.suspects[0].service == plain.suspects[0].service == "payments"
    assert rolled.narrowed.instance == plain.narrowed.instance == "payments-1"
    assert rolled.suspects[0].own_errors is not None
    assert rolled.suspects[0].own_errors.reason == "app_connect_refused"


def test_evidence_runs_as_printed(reader: Reader) -> None:
    baseline, observed = load_normal(reader, [NORMAL]), load_question(reader, [QUESTION])
    verdict = diagnose(baseline, observed)
    for queries in (RollupQueries(baseline, observed), SpanQueries(baseline, observed)):
        finding = explain(verdict, baseline, observed, queries, incident="i", now=QUESTION.end)
        assert all(runs(reader, [evidence.sql for evidence in finding.evidence]))
        assert runs(reader, [queries.link("checkout", "payments")])[0] > 0


def test_quotes_in_names_stay_names(reader: Reader) -> None:
    queries = RollupQueries(Window((NORMAL,)), Window((QUESTION,)))
    assert runs(reader, [queries.service("o'brien\\"), queries.link("a'", "b\\'")]) == [0, 0]


def test_the_change_before_an_incident(reader: Reader) -> None:
    changes = read_changes(reader, FAULT.start)
    change = preceding(changes, "payments")
    assert change is not None
    assert change.summary == "payments-1: v0 -> v1"
    assert preceding(changes, "cart") is None
    assert read_changes(reader, START + 80) == []


def test_an_incident_opens_is_kept_and_resolves(running: Collector, reader: Reader) -> None:
    watch, journal = Watch(reader, Casebook(Journal(reader))), Journal(reader)
    happened: list[tuple[float, str, Finding]] = []
    for now in range(int(START) + 60, int(START) + 215, 5):
        answer, news = watch.evaluate(float(now))
        happened += [(now - START, event, finding) for event, finding in news]
        if now - START == 145:
            assert answer.state == "degraded"
            assert answer.finding is not None
            assert answer.finding.culprit.instance == "payments-1"
            assert answer.finding.change is not None
            watch = Watch(reader, Casebook(Journal(reader)))  # a restart in the middle of an incident
    assert [event for _, event, _ in happened] == ["opened", "resolved"]
    (opened_after, _, opened), (resolved_after, _, resolved) = happened
    assert 100 < opened_after <= 125
    assert HEALED_AT - START < resolved_after <= 210
    assert resolved.id == opened.id
    assert opened.onset is not None
    assert opened.onset == resolved.onset
    late_s = opened.onset.at.timestamp() - FAULT.start
    assert 0 <= late_s <= opened.onset.within_s <= 10, "between the instance's last good request and its first bad one"
    assert resolved.resolved_at is not None
    assert answer.state == "nothing_wrong"
    (kept,) = [finding for finding in journal.incidents() if finding.id == opened.id]
    assert kept == resolved == journal.incident(opened.id)
    assert journal.open_incidents(resolved.resolved_at) == [kept], "it may be reopened"
    assert journal.open_incidents(resolved.resolved_at + timedelta(seconds=1)) == []
    row = running.query(
        f"SELECT State, Service, Instance, Signal FROM otel.mesh_incidents FINAL WHERE Id = '{kept.id}'"
    )
    assert row == [("resolved", "payments", "payments-1", "errors")]


def test_silent_while_healthy(reader: Reader) -> None:
    watch = Watch(reader, Casebook(Journal(reader)))
    states = {watch.evaluate(START + after)[0].state for after in (20.0, 65.0, 75.0, 85.0, 95.0)}
    assert states == {"not_enough_data", "nothing_wrong"}


def test_deliveries_are_recorded(running: Collector, reader: Reader) -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)
    Journal(reader).write_delivery(Delivery(at, "i", "opened", "http://x/it's", False, 8, "answered 500"))
    rows = running.query("SELECT IncidentId, Event, Target, Delivered, Attempts, Error FROM otel.mesh_alerts")
    assert rows == [("i", "opened", "http://x/it's", 0, 8, "answered 500")]


def test_an_unknown_incident_is_none(reader: Reader) -> None:
    assert Journal(reader).incident("nobody") is None


def test_gauges_tell_how_full_an_instance_is(running: Collector, reader: Reader) -> None:
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    for key, value in (("service.name", "cart"), ("service.instance.id", "cart-1")):
        resource.resource.attributes.add(key=key).value.string_value = value
    scope = resource.scope_metrics.add()
    for name, points in (
        ("process.cpu.utilization", [(1, "user", 0.5), (1, "system", 0.25), (2, "user", 0.9)]),
        ("k8s.pod.memory_limit_utilization", [(1, "", 0.4)]),
        ("queue.length", [(1, "", 7.0)]),
    ):
        metric = scope.metrics.add(name=name)
        for second, mode, share in points:
            point = metric.gauge.data_points.add(time_unix_nano=int((START + second) * 1e9), as_double=share)
            point.attributes.add(key="cpu.mode").value.string_value = mode
    post(running.url("http", "/v1/metrics"), request.SerializeToString())
    running.settle()

    interval = Interval(START, START + 2)
    assert load_usage(reader, [interval]) == (
        Usage("cart", "cart-1", "cpu", (0.75,)),
        Usage("cart", "cart-1", "memory", (0.4,)),
    )
    normal, question = Window((Interval(START, START + 2),)), Window((Interval(START + 2, START + 4),))
    assert runs(reader, [RollupQueries(normal, question).usage("cart")]) == [3], (
        "two gauges, one of them in both windows"
    )
