"""What bad requests have in common and good ones have not."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from rootcause.attribute.in_common import InCommon, in_common
from rootcause.load.moments import Moment
from rootcause.load.traits import Of, Trait

BEGAN, LENGTH_S = 60, 40
ZONES = {"n1": "a", "n2": "a", "n3": "b", "n4": "b"}
Went = Callable[[dict[str, str], random.Random], float]
"""The chance that a request with these values is bad now."""


def found(went: Went, *, per_s: int = 8, usual: float = 0.05, seed: int = 3, outcome: bool = False) -> InCommon | None:
    """Of requests of which a twentieth is always bad, and more are since BEGAN."""
    dice = random.Random(seed)
    moments, traits = [], {}
    for number in range((BEGAN + LENGTH_S) * per_s):
        at = number / per_s
        node = dice.choice(list(ZONES))
        values = {"node": node, "zone": ZONES[node], "caller": dice.choice("xyz"), "tenant": dice.choice("abcdefgh")}
        values |= {"user": f"{values['tenant']}{dice.randrange(4)}", "id": str(number)}
        bad = dice.random() < (went(values, dice) if at >= BEGAN else usual)
        moments.append(Moment(at, bad, 200.0 if bad else 10.0, f"t{number}", "s"))
        traits[f"t{number}", "s"] = frozenset(_traits(values | ({"status": "5" if bad else "2"} if outcome else {})))
    return in_common(moments, traits, BEGAN, BEGAN)


def _traits(values: dict[str, str]) -> list[Trait]:
    kinds = {"node": Of.NODE, "zone": Of.ZONE, "caller": Of.CALLER}
    return [Trait(kinds.get(key, Of.PASSED), key, value) for key, value in values.items()]


@pytest.mark.parametrize("key", ["node", "zone", "caller", "tenant"])
@pytest.mark.parametrize("share", [1.0, 0.6])
def test_the_trait_that_all_bad_requests_have(key: str, share: float) -> None:
    wanted = {"node": "n3", "zone": "b", "caller": "y", "tenant": "c"}[key]
    told = found(lambda values, _: share if values[key] == wanted else 0.05)
    assert told is not None
    assert (told.trait.key, told.trait.value) == (key, wanted)
    assert told.having.bad / told.having.requests == pytest.approx(share, abs=0.2)
    assert told.others.bad / told.others.requests < 0.1
    assert told.having.requests + told.others.requests == LENGTH_S * 8
    assert told.having.mean_ms > 5 * told.others.mean_ms


def test_the_narrowest_that_explains_it_all() -> None:
    """A tenant is part of nothing wider here, and has users of whom each is a part."""
    told = found(lambda values, _: 1.0 if values["zone"] == "b" and values["node"] == "n4" else 0.05)
    assert told is not None
    assert told.trait == Trait(Of.NODE, "node", "n4")


@pytest.mark.parametrize("seed", range(20))
def test_nothing_where_all_become_worse(seed: int) -> None:
    assert found(lambda _, __: 0.5, seed=seed) is None


@pytest.mark.parametrize("seed", range(20))
def test_nothing_where_none_becomes_worse(seed: int) -> None:
    assert found(lambda _, __: 0.05, seed=seed) is None


def test_who_always_was_worse_is_not_what_is_wrong_now() -> None:
    dice = random.Random(1)
    moments, traits = [], {}
    for number in range(1000):
        old = dice.random() < 0.2
        moments.append(Moment(number / 10, dice.random() < (0.6 if old else 0.05), 1.0, str(number), "s"))
        traits[str(number), "s"] = frozenset([Trait(Of.NODE, "host.name", "old" if old else "new")])
    assert in_common(moments, traits, 50, 50) is None


def test_how_a_request_ended_is_not_what_it_brought_with_it() -> None:
    told = found(lambda values, _: 1.0 if values["tenant"] == "c" else 0.02, usual=0.02, outcome=True)
    assert told is not None
    assert told.trait == Trait(Of.PASSED, "tenant", "c")


def test_nothing_without_traits_or_requests() -> None:
    moments = [Moment(float(at), at > 50, 1.0, str(at), "s") for at in range(100)]
    assert in_common(moments, {}, 50, 50) is None
    assert in_common([], {}, 50, 50) is None


def test_the_worst_traces_are_examples() -> None:
    told = found(lambda values, _: 1.0 if values["zone"] == "b" else 0.05)
    assert told is not None
    assert len(told.traces) == 3
