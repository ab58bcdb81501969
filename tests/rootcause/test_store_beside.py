"""What is read beside the roll-ups once something strays, from a real collector's store: other days, steps inside
requests, amounts, missing spans."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from collector.store.client import Reader
from rootcause.explain.finding import Finding
from rootcause.incidents.casebook import Casebook
from rootcause.incidents.journal import Journal
from rootcause.judge.diagnose import diagnose
from rootcause.load.from_amounts import load_amounts
from rootcause.load.from_history import DAY_S, load_days
from rootcause.load.from_rollups import load_normal, load_question
from rootcause.load.spans import Kind
from rootcause.load.window import Interval
from rootcause.watch import Watch
from tests.rootcause.stored import post, send, store_url
from tests.world.collectors import Collector, collector
from tests.world.mesh_sim import Fault, Proxied, Shop

START = 1_700_000_000.0
PEAK = Fault("latency", "catalog", 60, START + 100)
LATER = START + 7200.0
LOOP = Fault("latency", "cart", 60, LATER + 100)
GROWS_SINCE = LATER + 10


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """A peak like on each of three days before; two hours later a loop of queries, half of whose calls have no span."""
    with collector(tmp_path_factory.mktemp("collector")) as running:
        send(running, [span for ago in (3, 2, 1) for span in earlier(ago)])
        send(running, Shop(61, rate=4, faults=(PEAK,)).run(START, 135))
        send(running, looping())
        post(running.url("http", "/v1/metrics"), amounts().SerializeToString())
        running.settle()
        yield running


@pytest.fixture
def reader(running: Collector) -> Iterator[Reader]:
    with Reader(store_url(running)) as reader:
        yield reader


def earlier(ago: int) -> list[Proxied]:
    start = PEAK.start - ago * DAY_S
    return Shop(70 + ago, rate=0.8, faults=(replace(PEAK, start=start),)).run(start - 60, 240)


def looping() -> list[Proxied]:
    """Since LOOP cart asks its database five times a request, and only each second of its calls keeps its span."""
    found = []
    for index, one in enumerate(Shop(62, rate=4, faults=(LOOP,)).run(LATER, 125)):
        span, since = one.span, one.span.start_ns / 1e9 >= LOOP.start
        if span.service == "cart" and span.kind is Kind.SERVER:
            found += [_query(one, number) for number in range(5 if since else 1)]
        if not (span.service == "cart" and span.kind is Kind.CLIENT and since and index % 2):
            found.append(one)
    return found


def _query(one: Proxied, number: int) -> Proxied:
    id = f"{int(one.span.id, 16) ^ (number + 1):016x}"
    return Proxied(
        replace(one.span, id=id, parent=one.span.id, name="query", kind=Kind.INTERNAL, duration_ns=1000, peer="")
    )


def amounts() -> ExportMetricsServiceRequest:
    """Cart's sockets go from 20 to 400, its processor from a tenth of a second a second to a half, each ten seconds."""
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    for key, value in (("service.name", "cart"), ("service.instance.id", "cart-1")):
        resource.resource.attributes.add(key=key).value.string_value = value
    sockets, worked, asked = resource.scope_metrics.add().metrics, 0.0, 0
    held, busy, served = (sockets.add(name=name) for name in ("process.sockets", "process.cpu.time", "http.requests"))
    for metric, monotonic in ((held, False), (busy, True), (served, True)):
        metric.sum.aggregation_temporality, metric.sum.is_monotonic = 2, monotonic
    for second in range(-300, 200, 10):
        since = LATER + second >= GROWS_SINCE
        worked, asked = worked + (5.0 if since else 1.0), asked + 60
        for metric, value in ((held, 400.0 if since else 20.0), (busy, worked), (served, asked)):
            metric.sum.data_points.add(time_unix_nano=int((LATER + second) * 1e9), as_double=value)
    return request


def findings(reader: Reader, *times: float) -> list[Finding]:
    """What was open after evaluations at these times."""
    book = Casebook(Journal(reader))
    watch = Watch(reader, book)
    for now in times:
        watch.evaluate(now)
    return list(book.open)


def test_a_peak_like_every_day_s_opens_no_incident(reader: Reader) -> None:
    question = Interval(START + 110, START + 130)
    baseline, observed = load_normal(reader, [Interval(START, START + 90)]), load_question(reader, [question])
    assert diagnose(baseline, observed).suspects[0].service == "catalog"
    days = list(load_days(reader, question))
    assert len(days) == 3
    assert diagnose(baseline, observed, days=days).state == "nothing_wrong"
    assert findings(reader, *(START + after for after in (105, 115, 120, 125, 130))) == []


def test_steps_amounts_and_gaps_are_part_of_a_live_finding(reader: Reader) -> None:
    (found,) = findings(reader, LATER + 115, LATER + 120)
    assert found.culprit.service == "cart"
    why = found.ranking[0].why
    assert "'query (4 times)'" in why or "'query (2 times)'" in why
    assert "process.sockets of cart-1: 400, nearly always 20" in why or "process.cpu.time of cart-1: 0.5" in why
    (gap,) = [gap for gap in found.gaps if gap.service == "cart"]
    assert 0.3 < gap.captured < 0.7
    assert found.confidence <= gap.captured
    assert found.path[0].where == "cart"
    assert sum(part.added_ms for part in found.path) > 20
    assert any(evidence.statement.startswith("on the critical path of front") for evidence in found.evidence)


def test_a_sum_that_only_grows_is_told_a_second(reader: Reader) -> None:
    before, since = (
        {amount.metric: set(amount.values) for amount in load_amounts(reader, [interval])}
        for interval in (Interval(LATER - 100, LATER), Interval(LATER + 20, LATER + 100))
    )
    assert before == {"process.sockets": {20.0}, "process.cpu.time": {0.1}}
    assert since == {"process.sockets": {400.0}, "process.cpu.time": {0.5}}
