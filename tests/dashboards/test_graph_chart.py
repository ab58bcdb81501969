"""The ECharts option of the graph, and clicks on it."""

import json

import pytest

from dashboards import graph_chart, graph_picks, layout, topology
from dashboards.graph_chart import EdgeLabel
from dashboards.graph_legend import legend
from dashboards.graph_picks import Choice, Drawn
from dashboards.health import Health
from dashboards.palette import DARK, LIGHT
from dashboards.topology import Suspects
from tests.dashboards.test_topology import edge_row, known, service_row

GRAPH = topology.build(
    [
        edge_row("", "front", "destination", 300),
        edge_row("front", "pay", "source", 300, 30, mean_ms=42),
        edge_row("front", "pay", "destination", 300, 30, mean_ms=41),
    ],
    [service_row("front", 300), service_row("pay", 300, 30)],
    known(("front", "quiet")),
    Suspects(frozenset({"pay"})),
    300.0,
    [{"source": "front", "target": "pay", "counted": 10_000, "captured": 9_998, "unkept": 0}],
)
LAYOUT = layout.arrange((node.name for node in GRAPH.nodes), ((e.source, e.target) for e in GRAPH.edges))


def option(label: EdgeLabel = EdgeLabel.RATE, choice: Choice | None = None, trouble: bool = False):
    return graph_chart.option(GRAPH, LAYOUT, graph_picks.drawn(GRAPH, trouble), label, choice, LIGHT)["series"][0]


def node(series, name: str):
    return next(item for item in series["data"] if item["name"] == name)


def link(series, target: str):
    return next(item for item in series["links"] if item["target"] == f"service {target}")


def test_the_option_is_json_at_fixed_places() -> None:
    series = option()
    json.dumps(series)
    assert series["layout"] == "none"
    place = LAYOUT.places["pay"]
    assert (node(series, "pay")["x"], node(series, "pay")["y"]) == (place.x, place.y)


def test_colour_says_health_and_a_suspect_is_marked() -> None:
    series = option()
    assert node(series, "pay")["itemStyle"]["borderColor"] == LIGHT.state[Health.FAILING]
    assert "SUSPECT" in node(series, "pay")["label"]["formatter"]
    assert "SUSPECT" not in node(series, "front")["label"]["formatter"]
    assert node(series, "quiet")["itemStyle"]["borderColor"] == LIGHT.state[Health.IDLE]


def test_an_edge_is_as_wide_as_its_rate_and_coloured_by_its_errors() -> None:
    series = option()
    assert link(series, "pay")["lineStyle"]["color"] == LIGHT.state[Health.FAILING]
    assert link(series, "front")["lineStyle"]["color"] == LIGHT.line
    assert link(series, "pay")["lineStyle"]["width"] > link(series, "quiet")["lineStyle"]["width"]


@pytest.mark.parametrize(
    ("label", "text"),
    [
        (EdgeLabel.RATE, "1/s · 10 % failed"),
        (EdgeLabel.P95, "42 ms · 10 % failed"),
        (EdgeLabel.ERRORS, "10 %"),
    ],
)
def test_the_label_of_an_edge_can_be_switched(label: EdgeLabel, text: str) -> None:
    assert link(option(label), "pay")["label"]["formatter"] == text


def test_health_is_a_shape_and_a_figure_too() -> None:
    series = option()
    assert [node(series, name)["symbol"] for name in ("front", "pay")] == ["circle", "diamond"]
    assert link(series, "front")["label"]["formatter"] == "1/s"


def test_a_link_that_is_to_blame_says_so_and_a_long_name_keeps_both_ends() -> None:
    long = "recommendations-for-returning-customers-eu-west-1"
    blamed = Suspects(links=frozenset({f"a -> {long}"}))
    graph = topology.build([edge_row("a", long, "source", 5)], [], [], blamed, 10.0)
    places = layout.arrange((n.name for n in graph.nodes), ((e.source, e.target) for e in graph.edges))
    series = graph_chart.option(graph, places, graph_picks.drawn(graph, False), EdgeLabel.P95, None, DARK)["series"][0]
    assert series["links"][0]["label"]["formatter"].startswith("{suspect|SUSPECT} 10 ms")
    named = node(series, long)
    assert "{name|recommendations…-eu-west-1}" in named["label"]["formatter"]
    assert long in named["tooltip"]["formatter"]


def test_only_trouble_leaves_the_healthy_out() -> None:
    shown = graph_picks.drawn(GRAPH, only_trouble=True)
    assert shown == Drawn(("front", "pay"), (("front", "pay"),))
    assert [item["name"] for item in option(trouble=True)["data"]] == ["front", "pay"]


def test_what_was_chosen_stands_out() -> None:
    plain, picked = option(), option(choice=Choice("front"))
    assert node(picked, "front")["itemStyle"]["borderWidth"] > node(plain, "front")["itemStyle"]["borderWidth"]
    edge = link(option(choice=Choice("front", "pay")), "pay")
    assert edge["lineStyle"]["color"] == LIGHT.accent


def test_a_name_from_the_wire_is_neither_html_nor_a_template() -> None:
    name = "<img src=x>{b}|y"
    graph = topology.build([edge_row("a", name, "source", 5)], [], [], Suspects(), 10.0)
    places = layout.arrange((n.name for n in graph.nodes), ((e.source, e.target) for e in graph.edges))
    series = graph_chart.option(graph, places, graph_picks.drawn(graph, False), EdgeLabel.RATE, None, DARK)["series"][0]
    texts = json.dumps([item["label"]["formatter"] + item["tooltip"]["formatter"] for item in series["data"]])
    assert "<img" not in texts
    assert "{b}" not in texts


def test_the_graph_is_also_a_sentence() -> None:
    sentence = graph_chart.sentence(GRAPH)
    assert sentence.startswith("Service graph of 3 services.")
    assert "pay: failing, 1/s, errors 10 %" in sentence


def test_the_legend_says_how_much_was_captured() -> None:
    assert "Captured: 99.98 % of the requests" in legend(GRAPH, LIGHT)
    assert "Captured: not known" in legend(topology.build([], [], [], Suspects(), 1.0), LIGHT)


def test_a_narrow_screen_has_it_from_top_to_bottom_with_fewer_words() -> None:
    drawn = graph_chart.option(GRAPH, LAYOUT, graph_picks.drawn(GRAPH, False), EdgeLabel.RATE, None, LIGHT)
    json.dumps(drawn)
    wide, narrow = (one["option"]["series"][0] for one in drawn["media"])
    assert [item["name"] for item in narrow["data"]] == [item["name"] for item in wide["data"]]
    assert (node(narrow, "pay")["x"], node(narrow, "pay")["y"]) == (node(wide, "pay")["y"], node(wide, "pay")["x"])
    assert [item["target"] for item in narrow["links"]] == [item["target"] for item in wide["links"]]
    assert not any(item["label"]["show"] for item in narrow["links"])
    assert any(item["label"]["show"] for item in wide["links"])
    assert "10 %" in node(narrow, "pay")["label"]["formatter"], "what fails is told all the same"
