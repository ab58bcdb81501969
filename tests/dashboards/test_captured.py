"""Shares of what was counted: never rounded up, never above all of it, and nothing where nobody counted."""

import pytest

from dashboards.captured import Captured, percent


def row(source: str, target: str, counted: int, captured: int, unkept: int = 0):
    return {"source": source, "target": target, "counted": counted, "captured": captured, "unkept": unkept}


def test_shares_of_edges_and_of_all() -> None:
    found = Captured.of([row("", "front", 100, 101), row("front", "pay", 300, 270), row("x", "y", 0, 5)])
    assert found.share == pytest.approx(370 / 400)
    assert found.sentence() == "Captured: 92.50 % of the requests that proxies counted."
    assert found.sentence_of("front", "pay") == "Captured: 90.00 % of 300 requests counted."
    assert found.sentence_of("x", "y") == ""


def test_what_is_counted_and_not_stored_is_no_loss() -> None:
    found = Captured.of([row("", "front", 100, 100, 101), row("front", "pay", 5_000, 5_000, 4_500)])
    assert found.sentence() == (
        "Captured: 100 % of the requests that proxies counted. Spans of 500 of 5,100 are stored, all are counted."
    )
    assert found.sentence_of("front", "pay").endswith("counted. Spans of 500 of 5,000 are stored, all are counted.")


def test_without_counts_nothing_is_claimed() -> None:
    assert Captured().share is None
    assert "not known" in Captured().sentence()


@pytest.mark.parametrize(("share", "text"), [(1, "100 %"), (0.99999, "99.99 %"), (0.9998, "99.98 %"), (0, "0.00 %")])
def test_only_all_of_it_is_a_hundred(share: float, text: str) -> None:
    assert percent(share) == text
