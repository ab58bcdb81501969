"""Whose part of what is felt is the likeliest to be its own."""

from __future__ import annotations

from rootcause.attribute.felt_deepest import shares_of_felt
from rootcause.attribute.strays import Stray
from rootcause.load.metric_names import Tells


def stray(service: str, tells: Tells, baseline: float, observed: float) -> Stray:
    return Stray(service, "", tells.value, tells, baseline, observed, 9.0, observed > baseline)


def test_the_same_time_is_most_of_whoever_takes_least() -> None:
    """However often a caller asks: its usual time holds what it usually waits."""
    found = shares_of_felt(
        {
            "store": (stray("store", Tells.LATENCY, 10, 60),),
            "thin": (stray("thin", Tells.LATENCY, 25, 125),),
            "front": (stray("front", Tells.LATENCY, 200, 300),),
        }
    )
    assert found["store"]["latency"] == 1.0
    assert 1.0 > found["thin"]["latency"] > found["front"]["latency"]


def test_who_waits_for_it_has_less_of_it() -> None:
    several = stray("cart", Tells.LATENCY, 20, 120), stray("cart", Tells.WAITED, 15, 115)
    found = shares_of_felt({"cart": several, "user": (stray("user", Tells.LATENCY, 21, 120),)})
    assert found["user"]["latency"] > found["cart"]["latency"]


def test_of_failures_whoever_has_most_of_them() -> None:
    found = shares_of_felt(
        {"store": (stray("store", Tells.ERRORS, 1, 9),), "front": (stray("front", Tells.ERRORS, 3, 7),)}
    )
    assert (found["store"]["errors"], found["front"]["errors"]) == (1.0, 0.5)
