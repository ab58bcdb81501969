"""When a budget burns fast enough to wake somebody, and when few requests only look like it."""

from __future__ import annotations

import pytest

from rootcause.promises.burn import PACES, Counts, burns, known
from rootcause.promises.objective import Latency, Objective

HOUR, DAY = 3_600, 86_400
BUDGET = Objective(availability=99.9).budget


@pytest.mark.parametrize(
    ("calls", "bad", "burning"),
    [
        (100_000, 1_440, True),
        (100_000, 1_400, False),  # 14 times is less than 14.4
        (100, 4, True),  # 4 % of few, where 0.1 would be expected
        (20, 1, False),  # one in twenty may be chance
        (0, 0, False),
    ],
)
def test_a_budget_burns_when_too_much_is_bad_and_it_is_no_chance(calls: int, bad: int, burning: bool) -> None:
    assert burns(Counts(calls, bad, HOUR), BUDGET, 14.4) is burning


def test_minutes_of_traffic_do_not_make_an_hour() -> None:
    fast, _, slow = PACES
    assert not known(Counts(1_000, 500, 600), fast)
    assert known(Counts(1_000, 500, 1_800), fast)
    assert not known(Counts(1_000, 500, DAY), slow)
    assert known(Counts(1_000, 500, 1.5 * DAY), slow)


def test_each_pace_spends_the_share_of_the_budget_that_it_is_known_for() -> None:
    """The workbook's table: 2 % in an hour, 5 % in six, 10 % in three days."""
    spent = [pace.factor * pace.long_s / (30 * DAY) for pace in PACES]
    assert spent == pytest.approx([0.02, 0.05, 0.1])
    assert all(pace.short_s * 12 == pace.long_s for pace in PACES)


def test_an_objective_promises_one_thing() -> None:
    fast = Objective(service="front", route="/checkout", latency=Latency(within_ms=300, share=99))
    assert fast.name == "front /checkout latency 300ms 99%"
    assert fast.budget == pytest.approx(0.01)
    assert Objective(availability=99.95).name == "* availability 99.95%"
    with pytest.raises(ValueError, match="either availability or latency"):
        Objective(availability=99, latency=Latency(within_ms=1, share=99))
    with pytest.raises(ValueError, match="either availability or latency"):
        Objective(service="front")
