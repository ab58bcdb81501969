"""Orders as operators write them."""

from __future__ import annotations

import pytest

from deploy.demo.order import KINDS, BadOrder, behaviour, milliseconds, order, parse
from deploy.demo.topology import SHOPS


def test_an_order_without_an_amount_gets_the_default() -> None:
    assert str(parse("payments:latency")) == "payments:latency:300ms"
    assert str(parse("inventory:errors:5%")) == "inventory:errors:5%"


@pytest.mark.parametrize("kind", KINDS)
def test_every_default_is_an_amount_that_can_be_ordered(kind: str) -> None:
    assert order("payments", kind, KINDS[kind].default) == order("payments", kind)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("payment:latency", "there are: " + ", ".join(shop.name for shop in SHOPS)),
        ("payments", "no kind of fault ''"),
        ("payments:latency:fast", "write for example 300ms"),
        ("payments:errors:300ms", "write for example 50%"),
        ("payments:cpu:0%", "write for example 80%"),
        ("front:version", "the gateway leads customers to it"),
    ],
)
def test_what_cannot_be_ordered_is_answered_with_what_can(text: str, sentence: str) -> None:
    with pytest.raises(BadOrder, match=sentence):
        parse(text)


def test_amounts_are_read_in_their_units() -> None:
    assert milliseconds("300ms") == 300
    assert milliseconds("1.5s") == 1500
    assert behaviour("20%") == ("error_rate", 0.2)
    assert behaviour("2s") == ("latency_ms", 2000)
