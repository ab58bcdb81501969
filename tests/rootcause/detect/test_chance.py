"""Exact tests against counting, tables, and what they must say by themselves."""

from __future__ import annotations

from math import comb, exp, inf, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootcause.detect.chance import log_binomial, log_fisher


def counted(hits: int, of: int, hits_before: int, of_before: int) -> float:
    """The tail by counting: draws of `of` out of all, with at least `hits` of the marked among them."""
    marked, total = hits + hits_before, of + of_before
    ways = sum(comb(marked, k) * comb(total - marked, of - k) for k in range(hits, min(of, marked) + 1))
    return log(ways / comb(total, of))


@given(st.data())
def test_equals_counting_all_tables(data: st.DataObject) -> None:
    of, of_before = data.draw(st.integers(1, 90)), data.draw(st.integers(1, 90))
    hits, hits_before = data.draw(st.integers(0, of)), data.draw(st.integers(0, of_before))
    expected = counted(hits, of, hits_before, of_before)
    assert log_fisher(hits, of, hits_before, of_before) == pytest.approx(expected, abs=1e-6)


def test_known_table() -> None:
    # The lady tasting tea, all eight cups right: 1 in 70.
    assert exp(log_fisher(4, 4, 0, 4)) == pytest.approx(1 / 70)


@pytest.mark.parametrize("counts", [(0, 0, 3, 10), (3, 10, 0, 0), (0, 10, 0, 10)])
def test_proves_nothing_without_traffic_or_failures(counts: tuple[int, int, int, int]) -> None:
    assert log_fisher(*counts) == pytest.approx(0.0, abs=1e-5)


def test_large_counts_neither_overflow_nor_take_long() -> None:
    assert log_fisher(90_000, 1_000_000, 1_000, 1_000_000) < -1000


def test_the_binomial_tail_is_that_of_tables() -> None:
    assert exp(log_binomial(3, 10, 0.1)) == pytest.approx(0.0701908, rel=1e-5)
    assert exp(log_binomial(1, 20, 0.001)) == pytest.approx(1 - 0.999**20)
    assert log_binomial(0, 10, 0.1) == log_binomial(0, 0, 0.1) == log_binomial(5, 5, 1.0) == 0.0
    assert log_binomial(3, 10, 0.0) == -inf
    assert log_binomial(2_000, 1_000_000, 0.001) < -300


def test_millions_are_counted_to_the_end() -> None:
    """The middle of a wide distribution is half of it, wherever it lies."""
    assert log_binomial(1_000_000, 10_000_000, 0.1) == pytest.approx(log(0.5), abs=1e-2)
    assert log_binomial(1, 10_000_000, 0.5) == pytest.approx(0.0, abs=1e-5)
    assert log_fisher(500_000, 1_000_000, 5_000_000, 10_000_000) == pytest.approx(log(0.5), abs=1e-2)
