"""Series of nodes and edges, in every shape that recordings have, name the culprit as spans do."""

from __future__ import annotations

import pytest

from rootcause.judge.diagnose import diagnose
from rootcause.load.edge_rows import EdgeRow
from rootcause.load.from_edges import entry_nodes, window_of_edges
from rootcause.load.window import Interval, calls
from tests.rootcause.load.edge_series import QUESTION, SHAPES, traffic, windows
from tests.world.mesh_sim import Fault

AT = QUESTION.start


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("fault", [Fault("latency", "payments", 120, AT), Fault("errors", "cart", 0.4, AT)])
def test_the_culprit_comes_first(shape: str, fault: Fault) -> None:
    verdict = diagnose(*windows(shape, traffic(5, fault)))
    assert verdict.blamed
    assert verdict.suspects[0].service == fault.service


@pytest.mark.parametrize("shape", SHAPES)
def test_nobody_is_blamed_when_nothing_is_wrong(shape: str) -> None:
    assert diagnose(*windows(shape, traffic(6))).blamed == 0


def test_a_slow_link_is_seen_where_both_ends_tell() -> None:
    verdict = diagnose(*windows("both ends", traffic(7, Fault("link", "cart", 150, AT, source="front"))))
    assert [(link.source, link.destination) for link in verdict.links] == [("front", "cart")]


def row(source: str, destination: str, mean_ms: float, *, by_source: bool = False, requests: float = 10.0) -> EdgeRow:
    return EdgeRow(0.0, source, destination, by_source, "", requests, 0.0, mean_ms, None)


def own_ms(*rows: EdgeRow, graph: dict[str, set[str]] | None = None) -> dict[str, float]:
    window = window_of_edges(rows, graph or {}, frozenset(), (Interval(0.0, 300.0),))
    return {one.service: one.buckets[0].own_ms / calls(one.buckets) for one in window.served}


def test_what_the_caller_measured_is_what_it_waited() -> None:
    rows = (row("", "web", 50.0), row("web", "api", 40.0, by_source=True), row("web", "api", 30.0))
    assert own_ms(*rows) == {"web": 10.0, "api": 30.0}


def test_a_callee_known_as_a_whole_is_shared_by_requests() -> None:
    rows = (row("", "web", 50.0, requests=30.0), row("", "job", 50.0), row("", "db", 20.0, requests=80.0))
    shared = own_ms(*rows, graph={"web": {"db"}, "job": {"db"}})
    assert shared == pytest.approx({"web": 10.0, "job": 10.0, "db": 20.0})


def test_requests_come_from_outside_where_no_node_sends_them() -> None:
    rows = (row("ingress", "web", 50.0), row("web", "api", 40.0), row("api", "web", 1.0))
    assert entry_nodes(rows, {}) == {"web"}
    assert entry_nodes([row("", "web", 50.0), row("", "api", 40.0)], {"web": {"api"}}) == {"web"}
