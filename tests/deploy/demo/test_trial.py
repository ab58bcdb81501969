"""When an experiment's finding counts as right."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.demo.trial import Verdict, rank_of


def finding(culprit: str, *ranking: str) -> dict[str, Any]:
    return {"culprit": {"service": culprit}, "ranking": [{"service": service} for service in ranking]}


def verdict(fault: str, found: dict[str, Any] | None) -> Verdict:
    rank = rank_of(fault.partition(":")[0], found) if found else None
    return Verdict(fault, found, rank, None, requests=1, request_errors=0, spans=1, spans_lost=0)


def test_the_culprit_is_first_and_the_ranking_says_who_follows() -> None:
    found = finding("payments", "payments", "cart", "inventory")
    assert [rank_of(name, found) for name in ("payments", "cart", "inventory", "front")] == [1, 2, 3, None]


@pytest.mark.parametrize(
    ("fault", "found", "right"),
    [
        ("payments:latency:300ms", finding("payments", "payments"), True),
        ("payments:latency:300ms", finding("cart", "payments"), False),
        ("payments:latency:300ms", None, False),
        ("none", None, True),
        ("none", finding("payments", "payments"), False),
    ],
)
def test_only_the_first_ranked_counts_and_nobody_when_nothing_was_injected(
    fault: str, found: dict[str, Any] | None, right: bool
) -> None:
    assert verdict(fault, found).right is right
