"""What a series of nodes does not tell is no zero: neither the caller nor the node itself seems to be slow for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rootcause.judge.diagnose import Verdict, diagnose
from rootcause.load.edge_rows import EdgeRow
from rootcause.load.from_edges import window_of_edges
from rootcause.load.untold import told
from rootcause.load.window import Interval, Window, calls

STEP_S = 300.0
GRAPH = {"web": {"api"}, "api": {"db", "mail"}, "mail": {"smtp"}}
MS = {"web": 100.0, "api": 80.0, "db": 50.0, "mail": 10.0, "smtp": 5.0}
SHARE = {"mail": 0.5, "smtp": 0.5}
"""Of requests that reach them."""


def rows(start: float, steps: int) -> list[EdgeRow]:
    return [
        EdgeRow(start + at * STEP_S, "", node, False, "", 100.0 * SHARE.get(node, 1.0), 0.0, ms + at % 2, None)
        for at in range(steps)
        for node, ms in MS.items()
    ]


def window(rows: list[EdgeRow]) -> Window:
    start, end = min(row.start for row in rows), max(row.start for row in rows)
    return window_of_edges(rows, GRAPH, frozenset({"web"}), (Interval(start, end + STEP_S),))


NORMAL, NOW = rows(0.0, 40), rows(100_000.0, 5)


def judged(now: list[EdgeRow], normal: list[EdgeRow] = NORMAL) -> Verdict:
    return diagnose(window(normal), window(now))


def own_ms(window: Window, node: str) -> float:
    buckets = [bucket for row in window.served if row.service == node for bucket in row.buckets]
    return sum(bucket.own_ms for bucket in buckets) / calls(buckets)


def test_a_value_that_is_not_there_is_as_those_next_to_it() -> None:
    series = [row for row in NOW if row.destination == "db"]
    series[0] = replace(series[0], mean_ms=None, error_rate=None)
    series[2] = replace(series[2], mean_ms=None)
    found = told(series)
    assert [row.mean_ms for row in found] == [51.0, 51.0, 51.0, 51.0, 50.0]
    assert found[0].error_rate == 0.0
    unknown = [replace(row, mean_ms=None) for row in series]
    assert [row.mean_ms for row in told(unknown)] == [None] * 5


@pytest.mark.parametrize("node", MS)
def test_a_row_that_is_not_there_makes_nobody_slow(node: str) -> None:
    for lost in range(5):
        left = [row for row in NOW if (row.start, row.destination) != (NOW[0].start + lost * STEP_S, node)]
        assert judged(left).state == "nothing_wrong"
        assert own_ms(window(left), "api") == pytest.approx(25.0, abs=1.0)


@pytest.mark.parametrize("node", MS)
def test_a_latency_that_is_not_there_makes_nobody_slow(node: str) -> None:
    holes = [replace(row, mean_ms=None) if row.destination == node and row.start % 900 else row for row in NORMAL]
    assert judged(NOW, holes).state == "nothing_wrong"
    assert judged(NOW, holes).suspects == ()


def test_who_is_slow_is_found_though_rows_are_missing() -> None:
    slow = [
        replace(row, mean_ms=(row.mean_ms or 0.0) + 60) if row.destination in ("web", "api") else row for row in NOW
    ]
    holes = [row for row in slow if (row.destination, row.start) != ("db", NOW[0].start + STEP_S)]
    assert [suspect.service for suspect in judged(holes).suspects[:1]] == ["api"]


def failing(now: list[EdgeRow], rates: dict[str, float]) -> list[EdgeRow]:
    return [replace(row, error_rate=rates.get(row.destination, 0.0)) for row in now]


def test_a_node_that_is_gone_is_why_its_caller_fails() -> None:
    left = [row for row in NOW if row.destination not in ("mail", "smtp")]
    verdict = judged(failing(left, {"web": 0.5, "api": 0.5}))
    assert [suspect.service for suspect in verdict.suspects[:1]] == ["mail"]


def test_who_fails_before_its_calls_is_not_excused_by_their_absence() -> None:
    left = [row for row in NOW if row.destination not in ("db", "mail", "smtp")]
    verdict = judged(failing(left, {"web": 1.0, "api": 1.0}))
    assert [suspect.service for suspect in verdict.suspects[:1]] == ["api"]


def test_a_node_that_is_gone_while_nobody_suffers_is_none_to_blame() -> None:
    assert judged([row for row in NOW if row.destination not in ("mail", "smtp")]).suspects == ()


def test_who_answers_as_soon_as_usual_is_not_slow_because_its_callees_are_fast() -> None:
    """Calls side by side leave less than nothing of the caller's time."""
    normal = [replace(row, mean_ms=70.0) if row.destination == "mail" else row for row in NORMAL]
    now = failing([replace(row, mean_ms=1.0) if row.destination == "mail" else row for row in NOW], {"mail": 0.2})
    verdict = judged(now, normal)
    assert [suspect.service for suspect in verdict.suspects] == ["mail"]
