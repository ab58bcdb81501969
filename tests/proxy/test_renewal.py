"""When a proxy renews: at two thirds, not all at once, and never by giving up what is valid."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.renewal import Renewal, clock_offset

DAY = 86_400.0


def granted(roll: float = 1.0) -> Renewal:
    renewal = Renewal(0.0, lambda low, high: low + (high - low) * roll)
    renewal.granted(0.0, DAY * 2 / 3, DAY)
    return renewal


def test_without_a_certificate_one_is_wanted_at_once() -> None:
    assert Renewal(7.0).due == 7.0
    assert not Renewal(7.0).valid(7.0)


@pytest.mark.parametrize(("roll", "share"), [(0.0, 0.9), (0.5, 0.95), (1.0, 1.0)])
def test_it_renews_at_two_thirds_or_a_little_earlier(roll: float, share: float) -> None:
    assert granted(roll).due == pytest.approx(DAY * 2 / 3 * share)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=200))
def test_failures_take_nothing_away_and_tries_go_on_to_the_end(rolls: list[float]) -> None:
    dice = iter(rolls)
    renewal = Renewal(0.0, lambda low, high: low + (high - low) * next(dice, 1.0))
    renewal.granted(0.0, DAY * 2 / 3, DAY)
    tries = 0
    while renewal.due < DAY and tries < 2000:
        now = renewal.due
        renewal.failed(now)
        assert now < renewal.due <= now + 60, "it goes on, at least once a minute"
        assert renewal.valid(DAY - 1), "what is valid stays"
        tries += 1
    assert tries >= DAY / 3 / 60, "it was tried until the end"
    assert not renewal.valid(DAY)


def test_the_last_minutes_are_not_slept_through() -> None:
    renewal = granted()
    for _ in range(20):
        renewal.failed(DAY - 30)
    assert renewal.due <= DAY - 20


def test_a_certificate_ends_the_haste() -> None:
    renewal = granted()
    for _ in range(5):
        renewal.failed(DAY / 2)
    renewal.granted(DAY / 2, DAY * 2 / 3, DAY)
    assert (renewal.failures, renewal.due) == (0, DAY / 2 + DAY * 2 / 3)
    renewal.failed(DAY)
    assert renewal.due <= DAY + 1


def test_another_root_is_followed_within_seconds() -> None:
    renewal = granted()
    renewal.hurry(100.0)
    assert 100.0 <= renewal.due <= 103.0


@given(st.floats(-1e6, 1e6), st.floats(0, 5), st.floats(0, 5))
def test_a_clock_is_measured_within_its_bound(ahead: float, out: float, back: float) -> None:
    """`ahead` is how wrong this machine's clock is; the request takes `out` seconds there and `back` here."""
    offset, bound = clock_offset(1000.0 + out, 1000.0 + ahead, 1000.0 + ahead + out + back)
    assert abs(offset - ahead) <= bound + 1e-6
