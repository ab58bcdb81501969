"""Places of services: fixed, layered, apart."""

import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from dashboards.layout import HEIGHT, WIDTH, arrange

SHOP = [
    ("", "front"),
    ("front", "catalog"),
    ("front", "recommendations"),
    ("front", "cart"),
    ("front", "checkout"),
    ("catalog", "inventory"),
    ("recommendations", "catalog"),
    ("cart", "inventory"),
    ("checkout", "cart"),
    ("checkout", "payments"),
    ("checkout", "shipping"),
    ("shipping", "inventory"),
]
NAMES = sorted({name for pair in SHOP for name in pair})

names = st.lists(st.sampled_from([f"s{index}" for index in range(9)]), unique=True, min_size=1)
graphs = names.flatmap(
    lambda nodes: st.tuples(
        st.just(nodes), st.lists(st.tuples(st.sampled_from(nodes), st.sampled_from(nodes)), max_size=25)
    )
)


def test_callers_stand_left_of_whom_they_call() -> None:
    places = arrange(NAMES, SHOP).places
    for source, target in SHOP:
        assert places[source].x < places[target].x, f"{source} -> {target}"


def test_the_order_of_the_rows_moves_nothing() -> None:
    shuffled = SHOP[:]
    random.Random(3).shuffle(shuffled)
    assert arrange(reversed(NAMES), shuffled) == arrange(NAMES, SHOP)


def test_an_edge_that_skips_a_layer_bends_around_what_stands_there() -> None:
    layout = arrange(NAMES, SHOP)
    assert layout.bends["front", "cart"] != 0
    assert layout.bends["checkout", "payments"] == 0


def test_few_edges_of_the_shop_cross() -> None:
    places = arrange(NAMES, SHOP).places
    crossings = 0
    for index, (a, b) in enumerate(SHOP):
        for c, d in SHOP[index + 1 :]:
            if {places[a].x, places[b].x} == {places[c].x, places[d].x} and len({a, b, c, d}) == 4:
                crossings += (places[a].y - places[c].y) * (places[b].y - places[d].y) < 0
    assert crossings <= 1


@given(graphs)
def test_every_service_has_a_place_of_its_own_whatever_the_graph(
    graph: tuple[list[str], list[tuple[str, str]]],
) -> None:
    nodes, pairs = graph
    layout = arrange(nodes, pairs)
    assert set(layout.places) == set(nodes)
    assert len(set(layout.places.values())) == len(nodes)
    assert all(0 <= place.x <= WIDTH and 0 <= place.y <= HEIGHT for place in layout.places.values())
    assert set(layout.bends) == {pair for pair in pairs if pair[0] != pair[1]}


def test_a_cycle_is_drawn_and_leads_back_in_an_arc() -> None:
    layout = arrange("abc", pairwise("abca"))
    assert [layout.places[name].x for name in "abc"] == sorted(layout.places[name].x for name in "abc")
    assert layout.bends["c", "a"] != 0


def test_a_name_stands_where_edges_leave_it_more_room() -> None:
    layout = arrange(NAMES, SHOP)
    assert layout.places["front"].y < layout.places["recommendations"].y < layout.places["catalog"].y
    assert "recommendations" in layout.named_above, "what leaves it goes down steeply, what comes in does not"
    assert layout.named_above.isdisjoint({"catalog", "payments"}), "nothing is below them"
