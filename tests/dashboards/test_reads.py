"""The questions of the pages, asked of a real store."""

import operator
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from collector.store.client import Reader
from dashboards import reads, topology
from dashboards.examples import EXAMPLES
from dashboards.window import Window
from tests.world.telemetry import CULPRIT, FAULT, INCIDENT, SERVICES


class Asking:
    """Asks the store and remembers the time it was filled at."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.filled = reader.rows("SELECT max(Timestamp) AS last FROM otel.otel_traces")[0]["last"]

    def __call__(self, sql: str, params: Mapping[str, Any]) -> list[dict[str, Any]]:
        return self.reader.rows(sql, params or None)

    def last(self, minutes: int) -> Window:
        return Window.last(minutes, self.filled)


@pytest.fixture(scope="module")
def ask(shop: str) -> Iterator[Asking]:
    with Reader(shop) as reader:
        yield Asking(reader)


def build(ask: Asking, window: Window) -> topology.Topology:
    return topology.build(
        reads.edges(ask, window),
        reads.services(ask, window),
        reads.known_edges(ask, window),
        topology.Suspects(),
        window.seconds,
        reads.captured(ask, window),
    )


def test_the_graph_has_all_services_and_both_ends_of_every_call(ask: Asking) -> None:
    graph = build(ask, ask.last(15))
    assert {node.name for node in graph.nodes} == {topology.OUTSIDE, *SERVICES}
    assert graph.edge("checkout", "payments") is not None
    assert graph.captured.share is not None
    assert 0.99 < graph.captured.share < 1, "one request was counted and never stored"


def test_calls_are_counted_once(ask: Asking) -> None:
    graph = build(ask, ask.last(15))
    front = graph.node("front")
    served = ask("SELECT count() AS n FROM otel.otel_traces WHERE ServiceName = 'front' AND SpanKind = 'Server'", {})
    assert front is not None
    assert front.traffic.calls == served[0]["n"]


def test_a_window_shows_what_is_in_it_and_nothing_else(ask: Asking) -> None:
    before = Window.around(ask.filled - timedelta(minutes=8), ask.filled - FAULT - timedelta(minutes=1), timedelta(0))
    healthy, slow = build(ask, before).node(CULPRIT), build(ask, ask.last(2)).node(CULPRIT)
    assert healthy is not None
    assert slow is not None
    assert healthy.traffic.p95 * 3 < slow.traffic.p95
    assert healthy.traffic.errors == 0 < slow.traffic.errors


def test_hours_are_answered_from_whole_minutes_and_the_answer_is_the_same(ask: Asking) -> None:
    short, long = ask.last(15), ask.last(60)

    def told(sql: str, params: Mapping[str, Any]) -> list[dict[str, Any]]:
        (plan,) = ask(f"SELECT arrayStringConcat(groupArray(explain)) AS plan FROM (EXPLAIN {sql})", params)
        if "toStartOfMinute" in sql:
            assert "ReadFromMergeTree (by_minute)" in plan["plan"], sql
        return ask(sql, params)

    key = operator.itemgetter("source", "target", "reporter")
    for of_hours, of_minutes in zip(
        sorted(reads.edges(told, long), key=key), sorted(reads.edges(ask, short), key=key), strict=True
    ):
        assert of_hours == {**of_minutes, "quantiles": pytest.approx(of_minutes["quantiles"])}
    of_hours, of_minutes = ({row["service"]: row for row in reads.services(told, w)} for w in (long, short))
    assert of_hours.keys() == of_minutes.keys() == set(SERVICES)
    assert all(of_hours[name]["calls"] == of_minutes[name]["calls"] for name in SERVICES)
    assert all(of_hours[name]["first"] == of_minutes[name]["first"] for name in SERVICES)
    assert len(reads.known_edges(told, long)) == len(reads.known_edges(ask, short))
    for series in (
        partial(reads.service_series, service="front"),
        partial(reads.edge_series, source="front", target="checkout"),
    ):
        minute = series(told, long)[-1]
        of_it = Window(minute["time"], minute["time"] + timedelta(seconds=70))
        assert minute["calls"] == sum(row["calls"] for row in series(ask, of_it)) > 0


def test_instances_and_routes_add_up_to_the_service(ask: Asking) -> None:
    window = ask.last(15)
    whole = build(ask, window).node("recommendations")
    instances = reads.instances(ask, window, "recommendations")
    assert whole is not None
    assert {row["version"] for row in instances} == {"v1", "v2"}
    assert sum(row["calls"] for row in instances) == whole.traffic.calls
    assert sum(row["calls"] for row in reads.routes(ask, window, "recommendations")) == whole.traffic.calls


def test_a_series_has_whole_steps_only(ask: Asking) -> None:
    window = ask.last(5)
    rows = reads.service_series(ask, window, "front")
    assert len(rows) >= 25
    assert all(window.start <= row["time"] for row in rows)
    assert all(row["time"] + timedelta(seconds=window.step) <= window.complete for row in rows)
    assert reads.service_series(ask, window, "front", route="/nowhere") == []


def test_an_edge_has_its_course_its_pairs_and_its_reasons(ask: Asking) -> None:
    window = ask.last(15)
    assert len(reads.edge_series(ask, window, "checkout", CULPRIT)) > 10
    (pair,) = [row for row in reads.edge_pairs(ask, window, "checkout", CULPRIT) if row["callee"] == "payments-1"]
    assert (pair["caller"], pair["version"]) == ("checkout-1", "v1")
    assert reads.edge_series(ask, window, topology.OUTSIDE, "front")
    assert reads.reasons(ask, window, "checkout", CULPRIT) == []


def test_examples_are_of_the_service_failing_and_slow(ask: Asking) -> None:
    spans = reads.example_spans(ask, ask.last(2), CULPRIT)
    assert any(span["status"] == "Error" for span in spans)
    assert [span["duration"] for span in spans] == sorted((span["duration"] for span in spans), reverse=True)
    assert len(reads.trace(ask, spans[0]["trace"])) > 4
    assert reads.example_spans(ask, ask.last(2), "nobody") == []


def test_incidents_changes_and_schema_are_read(ask: Asking) -> None:
    (incident,) = reads.incidents(ask)
    assert (incident["id"], incident["state"]) == (INCIDENT, "open")
    assert incident["opened_at"] < datetime.now(UTC)
    (alarm,) = reads.alarms(ask)
    assert (alarm["severity"], alarm["title"][:5]) == ("critical", "front")
    assert (reads.finding(ask, INCIDENT) or "").startswith("{")
    assert reads.finding(ask, "none") is None
    assert [row["summary"] for row in reads.changes(ask, ask.last(15))] == ["payments: build 41 to build 42"]
    assert ("Timestamp", "DateTime64(9)") in reads.schema(ask)["otel_traces"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_query_answers(ask: Asking, name: str) -> None:
    assert ask.reader.table(EXAMPLES[name]).rows
