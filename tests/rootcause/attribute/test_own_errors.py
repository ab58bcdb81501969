"""Own errors: what is swallowed and what reaches the caller, few requests on many routes."""

from __future__ import annotations

from rootcause.attribute.own_errors import ErrorShift, own_error_shifts
from rootcause.detect.errors import UNLIKELY
from rootcause.load.window import Bucket, Interval, Served, Window


def food(route: str, calls: int, *, errors: int = 0, own_errors: int = 0) -> Served:
    return Served("food", "", "food-1", route, False, (Bucket(0.0, calls, errors, calls * 5.0, own_errors),))


def shift(normal: tuple[Served, ...], now: tuple[Served, ...]) -> ErrorShift | None:
    return own_error_shifts(Window((Interval(0, 600),), normal), Window((Interval(600, 660),), now)).get("food")


def test_an_error_that_is_always_swallowed_hides_none_that_is_not() -> None:
    """Each request logs an error that harms nobody; now some fail as well."""
    usual = (food("/all", 60, own_errors=60),)
    found = shift(usual, (food("/all", 30, errors=14, own_errors=30),))
    assert found is not None
    assert found.log_chance <= UNLIKELY
    assert found.excess == 14
    assert shift(usual, (food("/all", 30, own_errors=30),)) is None


def test_swallowed_errors_that_are_new_count() -> None:
    found = shift((food("/all", 60),), (food("/all", 30, own_errors=20),))
    assert found is not None
    assert (found.log_chance <= UNLIKELY, found.excess) == (True, 20)


def test_few_failures_on_each_of_several_routes_are_many() -> None:
    routes = ("/a", "/b", "/c")
    usual = tuple(food(route, 20) for route in routes)
    one = shift(usual[:1], (food("/a", 8, errors=4, own_errors=4),))
    assert one is not None
    assert one.log_chance > UNLIKELY
    all_three = shift(usual, tuple(food(route, 8, errors=4, own_errors=4) for route in routes))
    assert all_three is not None
    assert all_three.log_chance <= UNLIKELY


def test_more_of_a_route_that_always_fails_is_no_failure_of_the_others() -> None:
    usual = (food("/a", 50), food("/broken", 10, errors=10, own_errors=10))
    assert shift(usual, (food("/a", 10), food("/broken", 40, errors=40, own_errors=40))) is None
