"""When an experiment's findings count as right."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.demo.trial import Verdict, rank_of


def finding(culprit: str, *ranking: str) -> dict[str, Any]:
    return {"culprit": {"service": culprit}, "ranking": [{"service": service} for service in ranking]}


def verdict(broken: tuple[str, ...], *found: dict[str, Any], requests_lost: int = 0) -> Verdict:
    first = found[0] if found else None
    return Verdict(
        "", broken, first, found[1:], None, None, None,
        requests=1, request_errors=0, failures={}, reasons={}, requests_lost=requests_lost, spans=1, spans_lost=0,
    )  # fmt: skip


def test_the_culprit_is_first_and_the_ranking_says_who_follows() -> None:
    found = finding("payments", "payments", "cart", "inventory")
    assert [rank_of(name, found) for name in ("payments", "cart", "inventory", "front")] == [1, 2, 3, None]


@pytest.mark.parametrize(
    ("broken", "found", "right"),
    [
        (("payments",), (finding("payments", "payments"),), True),
        (("payments",), (finding("cart", "payments"),), False),
        (("payments",), (finding("payments"), finding("cart")), False),
        (("payments",), (), False),
        (("payments", "cart"), (finding("cart"), finding("payments")), True),
        (("payments", "cart"), (finding("cart", "payments"),), False),
        ((), (), True),
        ((), (finding("payments", "payments"),), False),
    ],
)
def test_each_broken_service_has_an_incident_and_nobody_else(
    broken: tuple[str, ...], found: tuple[dict[str, Any], ...], right: bool
) -> None:
    assert verdict(broken, *found).right is right


def test_a_request_that_is_not_stored_is_missed() -> None:
    assert verdict(()).whole
    assert not verdict((), requests_lost=1).whole
