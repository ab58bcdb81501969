"""Who can feel whose trouble, and who is only waited for by somebody in the background."""

from __future__ import annotations

from rootcause.attribute.graph import Graph
from rootcause.load.edge_rows import EdgeRow
from rootcause.load.from_edges import window_of_edges
from rootcause.load.window import Interval, Quantiles


def node(name: str, mean_ms: float) -> EdgeRow:
    levels = Quantiles(mean_ms, mean_ms * 1.5, mean_ms * 2, mean_ms * 3)
    return EdgeRow(0.0, "", name, False, "", 100.0, 0.0, mean_ms, levels)


def test_nobody_waits_for_what_outlasts_nearly_all_answers() -> None:
    callees = {"web": {"api", "batch"}, "api": {"db"}, "batch": {"disk"}}
    rows = [node(name, ms) for name, ms in (("web", 90), ("api", 60), ("db", 20), ("batch", 3000), ("disk", 50))]
    graph = Graph([window_of_edges(rows, callees, frozenset({"web"}), (Interval(0.0, 300.0),))])
    assert graph.waited_for(["web"]) == {"web", "api", "db"}
    assert graph.below("web") == {"api", "db", "batch", "disk"}


def test_what_outlasts_answers_only_now_is_still_waited_for() -> None:
    callees = {"web": {"api"}, "api": {"db"}}
    usual, now = (
        window_of_edges(
            [node("web", 90), node("api", 60), node("db", ms)], callees, frozenset({"web"}), (Interval(0.0, 300.0),)
        )
        for ms in (20, 900)
    )
    assert Graph([usual, now]).waited_for(["web"]) == {"web", "api", "db"}
    assert Graph([now, usual]).waited_for(["web"]) == {"web", "api"}
