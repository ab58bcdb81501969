"""Failures of what nobody called in normal time are of whoever began to call it."""

from __future__ import annotations

from rootcause.attribute.newcomers import newcomer_error_shifts
from rootcause.load.window import Bucket, Called, Interval, Served, Window


def served(service: str, calls: int, failed: int = 0) -> Served:
    buckets = (Bucket(0.0, calls, failed, calls * 5.0, failed, calls * 5.0, calls),)
    return Served(service, "v1", f"{service}-1", "/", service == "front", buckets)


def called(destination: str, calls: int, failed: int) -> Called:
    buckets = (Bucket(0.0, calls, failed, calls * 5.0),)
    return Called(True, "front", destination, "front-1", "", "", buckets)


def window(*rows: Served, calls: tuple[Called, ...] = ()) -> Window:
    return Window((Interval(0.0, 10.0),), rows, calls)


NORMAL = window(served("front", 500), served("cart", 500), calls=(called("cart", 500, 0),))


def test_calls_of_something_new_that_fail_are_the_callers() -> None:
    observed = window(served("front", 100), calls=(called("tabel", 40, 40),))
    shift = newcomer_error_shifts(NORMAL, observed)["front"]
    assert (shift.excess, shift.baseline_rate, shift.observed_rate) == (40, 0, 0.4)


def test_what_only_the_new_one_knows_is_the_callers_too() -> None:
    unmeasured = Called(False, "front", "tabel", "", "", "tabel", ())
    observed = window(served("front", 100), served("tabel", 40, 30), calls=(unmeasured,))
    assert newcomer_error_shifts(NORMAL, observed)["front"].excess == 30


def test_who_was_there_before_answers_for_itself() -> None:
    observed = window(served("front", 100), served("cart", 100, 40), calls=(called("cart", 100, 40),))
    assert newcomer_error_shifts(NORMAL, observed) == {}
