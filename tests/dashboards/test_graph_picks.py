"""What is picked of the graph, by whatever hand."""

import pytest

from dashboards import graph_picks, topology
from dashboards.graph_picks import ALL, Choice, Drawn
from dashboards.topology import Suspects
from tests.dashboards.test_topology import edge_row, service_row

GRAPH = topology.build(
    [edge_row("", "front", "destination", 300), edge_row("front", "pay", "source", 300)],
    [service_row("front", 300), service_row("pay", 300)],
    [],
    Suspects(),
    300.0,
)
PAY, CART = Choice("pay"), Choice("cart")


@pytest.mark.parametrize(
    ("kind", "index", "choice"),
    [
        ("node", 1, Choice("front")),
        ("edge", 1, Choice("front", "pay")),
        ("node", 99, None),
        ("main", 0, None),
    ],
)
def test_a_click_comes_back_as_what_was_drawn_there(kind: str, index: int, choice: Choice | None) -> None:
    shown = graph_picks.drawn(GRAPH, only_trouble=False)
    assert graph_picks.chosen([{"data_type": kind, "data_indices": [index]}], shown) == choice


def test_nothing_selected_is_no_choice() -> None:
    assert graph_picks.chosen([], Drawn((), ())) is None


def test_the_list_has_every_service_and_every_call() -> None:
    assert graph_picks.entries(GRAPH) == {
        "front": Choice("front"),
        "pay": PAY,
        "outside → front": Choice("", "front"),
        "front → pay": Choice("front", "pay"),
    }


def test_the_outside_has_no_panel_of_its_own() -> None:
    assert Choice("").entry == ALL


@pytest.mark.parametrize(
    ("picked", "clicked", "entry", "left"),
    [
        (PAY, None, ALL, PAY),
        (PAY, CART, "cart", PAY),
        (None, PAY, "pay", None),
        (None, PAY, "cart", PAY),
        (None, None, ALL, None),
    ],
    ids=["first click", "another one", "same again", "same again after the list moved on", "nothing"],
)
def test_a_click_chooses_and_a_second_one_takes_back(
    picked: Choice | None, clicked: Choice | None, entry: str, left: Choice | None
) -> None:
    assert graph_picks.after_click(picked, clicked, entry) == left
