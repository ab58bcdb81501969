"""Normals and shifts: robust against single hiccups, fair to routes, modest with few calls."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootcause.detect.baseline import Normal, Sample, Shift, common_wait, normal_of, shift_of


def noisy(mean: float, buckets: int, calls: int = 100, sd: float = 3.0, seed: int = 1) -> list[Sample]:
    draw = random.Random(seed)
    return [Sample(calls, draw.gauss(mean, sd / calls**0.5)) for _ in range(buckets)]


def at(samples: list[Sample]) -> dict[float, Sample]:
    return {10.0 * index: sample for index, sample in enumerate(samples)}


def normal(samples: list[Sample]) -> Normal:
    found = normal_of(samples)
    assert found is not None
    return found


def test_a_lasting_shift_is_clear_and_has_its_size() -> None:
    shift = shift_of([(normal(noisy(20, 6)), at(noisy(50, 2, seed=2)))])
    assert shift is not None
    assert shift.z > 10
    assert shift.observed_ms - shift.baseline_ms == pytest.approx(30, abs=2)
    assert shift.excess_ms == pytest.approx(6000, rel=0.1)


def test_one_hiccup_in_question_is_no_shift() -> None:
    calm = noisy(20, 4, seed=3)
    shift = shift_of([(normal(noisy(20, 6)), at([*calm, Sample(100, 400.0)]))])
    assert shift is not None
    assert abs(shift.observed_ms - shift.baseline_ms) < 1


def test_a_fault_that_begins_and_ends_inside_the_time_in_question_is_a_shift() -> None:
    minutes = [Sample(100, mean) for mean in (20.0, 20.5, 120.0, 130.0, 20.2)]
    shift = shift_of([(normal(noisy(20, 6)), {300.0 * index: sample for index, sample in enumerate(minutes)})])
    assert shift is not None
    assert shift.observed_ms - shift.baseline_ms == pytest.approx(42, abs=2)


def test_of_two_buckets_both_have_to_be_slow() -> None:
    shift = shift_of([(normal(noisy(20, 6)), {0.0: Sample(90, 20.1), 10.0: Sample(110, 150.0)})])
    assert shift is not None
    assert abs(shift.observed_ms - shift.baseline_ms) < 2


def test_what_is_over_in_less_than_a_minute_is_none() -> None:
    seconds = [Sample(100, mean) for mean in (20.0, 20.5, 120.0, 130.0, 20.2, 20.1, 19.9, 20.3)]
    shift = shift_of([(normal(noisy(20, 6)), at(seconds))])
    assert shift is not None
    assert abs(shift.observed_ms - shift.baseline_ms) < 2


def test_one_hiccup_in_normal_time_hides_nothing() -> None:
    usual = normal([*noisy(20, 6), Sample(100, 400.0)])
    shift = shift_of([(usual, at(noisy(50, 2, seed=2)))])
    assert shift is not None
    assert shift.z > 5


def test_a_changed_mix_of_routes_is_no_shift() -> None:
    fast, slow = normal(noisy(5, 6)), normal(noisy(500, 6))
    shift = shift_of([(fast, at(noisy(5, 2, calls=10))), (slow, at(noisy(500, 2, calls=1000)))])
    assert shift is not None
    assert abs(shift.z) < 3


@given(st.lists(st.integers(0, 2), max_size=2), st.floats(0, 1e5))
def test_too_few_calls_say_nothing(counts: list[int], mean: float) -> None:
    samples = [Sample(count, mean) for count in counts]
    assert normal_of(samples) is None
    assert shift_of([(normal(noisy(20, 6)), at(samples))]) is None


def test_known_tails_widen_the_spread() -> None:
    calm = normal_of(noisy(20, 6), call_sd=200.0)
    assert calm is not None
    shift = shift_of([(calm, at(noisy(50, 1, calls=20)))])
    assert shift is not None
    assert shift.z < 3


def waiting(times: float) -> Shift:
    return Shift(10.0, 10.0 * times, 100, 1000.0 * (times - 1), 50.0)


def test_a_database_that_most_links_lead_to_is_not_the_network() -> None:
    to_database = {(f"caller-{n}", "database"): waiting(4) for n in range(5)}
    assert common_wait(to_database | {("front", "cart"): waiting(1), ("front", "search"): waiting(1)}) == 1.0


def test_when_calls_to_everybody_take_longer_it_is_what_all_share() -> None:
    assert common_wait({("front", callee): waiting(3) for callee in ("cart", "search", "database")}) == 3.0
