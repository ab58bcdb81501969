"""Rows of the roll-ups become services and edges."""

import pytest

from dashboards import topology
from dashboards.health import THRESHOLDS, Health, judge
from dashboards.topology import Suspects

SECONDS = 300.0
MS = 1_000_000


def edge_row(source: str, target: str, reporter: str, calls: int, errors: int = 0, mean_ms: float = 10, mesh: int = 0):
    return {
        "source": source,
        "target": target,
        "reporter": reporter,
        "calls": calls,
        "errors": errors,
        "mesh_errors": mesh,
        "duration_sum": int(calls * mean_ms * MS),
        "quantiles": [mean_ms * MS] * 4,
    }


def service_row(service: str, calls: int, errors: int = 0, p95_ms: float = 20):
    return {
        "service": service,
        "calls": calls,
        "errors": errors,
        "duration_sum": calls * 10 * MS,
        "quantiles": [p95_ms * MS] * 4,
        "own_sum": calls * 4 * MS,
        "own_calls": calls,
        "versions": ["v2", "v1"],
        "first": None,
    }


def known(*pairs: tuple[str, str]):
    return [{"source": source, "target": target} for source, target in pairs]


def test_an_edge_shows_what_its_caller_saw_and_what_the_link_cost() -> None:
    rows = [edge_row("a", "b", "source", 300, 3, mean_ms=12), edge_row("a", "b", "destination", 297, 0, mean_ms=10)]
    graph = topology.build(rows, [service_row("b", 297)], [], Suspects(), SECONDS)
    edge = graph.edge("a", "b")
    assert edge is not None
    assert (edge.traffic.calls, edge.traffic.rate, edge.traffic.error_share) == (300, 1.0, 0.01)
    assert edge.link_mean == 2 * MS


def test_a_call_from_outside_is_known_by_its_callee_alone() -> None:
    graph = topology.build(
        [edge_row("", "front", "destination", 50)], [service_row("front", 50)], [], Suspects(), SECONDS
    )
    outside = graph.node(topology.OUTSIDE)
    assert outside is not None
    assert outside.traffic.calls == 50


def test_a_service_that_reports_nothing_is_known_by_its_callers() -> None:
    rows = [edge_row("a", "gone", "source", 10, 10), edge_row("b", "gone", "source", 30, 0)]
    gone = topology.build(rows, [], [], Suspects(), SECONDS).node("gone")
    assert gone is not None
    assert (gone.traffic.calls, gone.traffic.errors, gone.own_mean) == (40, 10, None)
    assert gone.health is Health.FAILING


def test_an_edge_without_traffic_now_stays_and_is_idle() -> None:
    graph = topology.build([], [], known(("a", "b")), Suspects(), SECONDS)
    edge = graph.edge("a", "b")
    assert edge is not None
    assert edge.health is Health.IDLE
    assert [node.health for node in graph.nodes] == [Health.IDLE, Health.IDLE]


def test_a_suspect_is_never_shown_as_healthy() -> None:
    (pay,) = topology.build([], [service_row("pay", 100)], [], Suspects(frozenset({"pay"})), SECONDS).nodes
    assert pay.health is Health.DEGRADED


def test_of_a_link_that_is_to_blame_the_arrow_is_marked_and_not_the_service_at_its_end() -> None:
    rows = [edge_row("a", "pay", "source", 100), edge_row("b", "pay", "source", 100)]
    blamed = {"state": "open", "service": "pay", "link": "a -> pay"}
    graph = topology.build(rows, [service_row("pay", 200)], [], Suspects.of([blamed]), SECONDS)
    assert [(edge.source, edge.suspect, edge.health) for edge in graph.edges] == [
        ("a", True, Health.DEGRADED),
        ("b", False, Health.HEALTHY),
    ]
    assert not any(node.suspect for node in graph.nodes)
    all_ways = Suspects.of([{**blamed, "link": "* -> pay"}])
    assert (all_ways.services, all_ways.blames("b", "pay"), all_ways.blames("b", "a")) == ({"pay"}, True, False)
    assert Suspects.of([{**blamed, "state": "resolved"}]) == Suspects()


def test_trouble_is_what_fails_what_is_suspected_and_the_ends_of_failing_calls() -> None:
    rows = [edge_row("a", "b", "source", 100, 20), edge_row("c", "d", "source", 100)]
    services = [service_row(name, 100) for name in "abcd"]
    graph = topology.build(rows, services, [], Suspects(frozenset({"d"})), SECONDS)
    assert graph.troubled() == {"a", "b", "d"}


def test_neighbours_come_busiest_first() -> None:
    rows = [edge_row("a", "c", "source", 10), edge_row("b", "c", "source", 20)]
    graph = topology.build(rows, [], [], Suspects(), SECONDS)
    assert [edge.source for edge in graph.callers("c")] == ["b", "a"]
    assert [edge.target for edge in graph.callees("a")] == ["c"]


@pytest.mark.parametrize(
    ("calls", "errors", "p95_ms", "state"),
    [
        (0, 0.0, 0, Health.IDLE),
        (10, 0.0, 999, Health.HEALTHY),
        (10, 0.0099, 20, Health.HEALTHY),
        (10, 0.01, 20, Health.DEGRADED),
        (10, 0.0, 1000, Health.DEGRADED),
        (10, 0.05, 20, Health.FAILING),
        (10, 0.0, 3000, Health.FAILING),
    ],
)
def test_a_state_holds_from_its_threshold_on(calls: int, errors: float, p95_ms: int, state: Health) -> None:
    assert judge(calls, errors, p95_ms * MS) is state


def test_the_legend_states_the_thresholds_in_force() -> None:
    assert THRESHOLDS.legend()[Health.FAILING] == "errors ≥ 5 % or p95 ≥ 3 s"
