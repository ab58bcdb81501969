"""Spans of a trace as a waterfall."""

import json

from dashboards import waterfall
from dashboards.palette import LIGHT

MS = 1_000_000


def row(span_id: str, parent: str, start_ms: int, duration_ms: int, **more: str):
    return {
        "id": span_id,
        "parent": parent,
        "service": more.get("service", "front"),
        "span": "GET /",
        "kind": more.get("kind", "Server"),
        "start": 1_790_000_000_000_000_000 + start_ms * MS,
        "duration": duration_ms * MS,
        "status": more.get("status", "Unset"),
        "attributes": {"mesh.reason": more.get("reason", "")},
        "instance": "front-1",
    }


def test_children_stand_under_their_parent_in_the_order_they_began() -> None:
    rows = [row("late", "root", 20, 5), row("root", "", 0, 30), row("early", "root", 5, 5), row("deep", "early", 6, 2)]
    drawn = waterfall.bars(rows)
    assert [(bar.depth, bar.start // MS) for bar in drawn] == [(0, 0), (1, 5), (2, 6), (1, 20)]


def test_a_span_whose_parent_was_not_recorded_is_a_root() -> None:
    drawn = waterfall.bars([row("a", "missing", 3, 5), row("b", "a", 4, 1)])
    assert [bar.depth for bar in drawn] == [0, 1]


def test_spans_that_name_each_other_as_parent_do_not_hang_the_page() -> None:
    assert waterfall.bars([row("a", "b", 0, 1), row("b", "a", 0, 1)]) == []


def test_no_spans_no_bars() -> None:
    assert waterfall.bars([]) == []


def test_a_failed_span_says_so_and_why() -> None:
    drawn = waterfall.bars(
        [row("a", "", 0, 5, status="STATUS_CODE_ERROR", reason="breaker_open", kind="SPAN_KIND_CLIENT")]
    )
    assert drawn[0].failed
    assert drawn[0].kind == "Client"
    option = waterfall.option(drawn, LIGHT)
    json.dumps(option)
    assert option["series"][1]["data"][0]["label"]["formatter"] == "5 ms  failed breaker_open"


def test_names_are_indented_where_there_is_room_only() -> None:
    wide, narrow = waterfall.option(waterfall.bars([row("a", "", 0, 5), row("b", "a", 1, 2)]), LIGHT)["media"]
    assert wide["option"]["yAxis"]["data"] == ["front-1 GET /", f"{waterfall.INDENT}front-1 GET /"]
    assert narrow["option"]["yAxis"]["data"] == ["front-1 GET /", "front-1 GET /"]
    assert narrow["query"] == {"maxWidth": waterfall.NARROW}
