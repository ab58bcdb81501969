"""Requests that all became slower are told from heavy tails, with few of them, too."""

from __future__ import annotations

from rootcause.detect.exceeding import exceeding
from rootcause.load.window import Quantiles

HEAVY = Quantiles(p50=10, p90=60, p95=200, p99=900)


def moved(by_ms: float) -> Quantiles:
    return Quantiles(*(level + by_ms for level in (HEAVY.p50, HEAVY.p90, HEAVY.p95, HEAVY.p99)))


def test_half_of_forty_requests_above_nine_in_ten_is_clear_whatever_the_tail() -> None:
    assert exceeding([(200, HEAVY)], [(40, moved(60))]) > 5


def test_a_longer_tail_alone_is_not() -> None:
    assert exceeding([(200, HEAVY)], [(40, Quantiles(p50=12, p90=300, p95=900, p99=2000))]) == 0


def test_few_requests_before_or_now_say_nothing() -> None:
    assert exceeding([(19, HEAVY)], [(40, moved(60))]) == 0
    assert exceeding([(200, HEAVY)], [(6, moved(60))]) < 5
    assert exceeding([(200, None)], [(40, moved(60))]) == 0


def test_one_of_three_instances_counts_as_the_part_that_it_serves() -> None:
    def third(levels: Quantiles) -> tuple[int, Quantiles]:
        return 30, levels

    one_slow = exceeding([(200, HEAVY)], [third(HEAVY), third(HEAVY), third(moved(60))])
    assert 0 < one_slow < exceeding([(200, HEAVY)], [third(moved(60))] * 3)


def test_so_many_that_the_chance_is_no_number() -> None:
    assert exceeding([(200, HEAVY)], [(10**6, moved(60))]) > 30
