"""Failures of a link, told apart from failures of the callee whose spans are still on their way."""

from __future__ import annotations

from rootcause.attribute.links import link_shifts
from rootcause.load.window import Bucket, Called, Interval, Window


def window(asked: int, failed: int, arrived: int, failed_there: int, lost: int | None) -> Window:
    """One bucket of front -> cart as both ends saw it."""

    def seen(by_source: bool, calls: int, errors: int, lost: int | None) -> Called:
        buckets = (Bucket(0.0, calls, errors, calls * 5.0),)
        return Called(by_source, "front", "cart", "front-1", "v1", "cart-1", buckets, lost=lost)

    views = seen(True, asked, failed, lost), seen(False, arrived, failed_there, None)
    return Window((Interval(0.0, 10.0),), called=views)


NORMAL = window(500, 0, 500, 0, 0)


def failures(observed: Window, usual: Window = NORMAL) -> float:
    errors = link_shifts(usual, observed)["front", "cart"].errors
    return errors.excess if errors is not None else 0.0


def test_failed_answers_whose_spans_come_later_are_not_the_links() -> None:
    assert failures(window(100, 40, 70, 25, lost=0)) == 0


def test_calls_that_never_arrived_are_the_links() -> None:
    assert failures(window(100, 40, 60, 0, lost=40)) == 40


def test_only_the_lost_ones_are_the_links() -> None:
    assert failures(window(100, 40, 70, 20, lost=12)) == 12


def test_without_a_proxys_word_the_callees_spans_decide() -> None:
    unknown = window(500, 0, 500, 0, None)
    assert failures(window(100, 40, 60, 10, lost=None), unknown) == 30
