"""A few messages at once, and then so many a minute."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rootcause.alerts.pace import BURST, Pace


def test_a_few_at_once_and_then_evenly() -> None:
    pace = Pace(per_minute=60, now=0.0)
    assert [pace.wait_s(0.0) for _ in range(BURST + 2)] == [0.0] * BURST + [1.0, 2.0]
    assert pace.wait_s(100.0) == 0.0


def test_of_one_a_minute_only_one_goes_at_once() -> None:
    pace = Pace(per_minute=1, now=0.0)
    assert [pace.wait_s(0.0), pace.wait_s(0.0)] == [0.0, 60.0]


@given(st.floats(1, 600), st.lists(st.floats(0, 20), max_size=200))
def test_never_more_in_a_minute_than_allowed_and_the_first_few(per_minute: float, thinking_s: list[float]) -> None:
    now, sent = 0.0, []
    pace = Pace(per_minute, now)
    for pause in thinking_s:
        now += pause
        now += pace.wait_s(now)
        sent.append(now)
    for first in sent:
        assert sum(first <= at < first + 59.9 for at in sent) <= per_minute + BURST + 1
