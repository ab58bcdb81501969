"""Numbers in the few characters that people read."""

import pytest

from rootcause.explain.quantities import added_ms, amount, ms, percent


@pytest.mark.parametrize(
    ("value", "said"),
    [(0, "0 ms"), (0.01, "<0.1 ms"), (0.42, "0.4 ms"), (9.96, "10 ms"), (38.2, "38 ms"), (2140, "2.1 s")],
)
def test_times(value: float, said: str) -> None:
    assert ms(value) == said


@pytest.mark.parametrize(
    ("share", "said"),
    [(0, "0 %"), (0.0001, "<0.1 %"), (0.004, "0.4 %"), (0.384, "38 %"), (0.996, "99.6 %"), (1, "100 %")],
)
def test_shares_are_never_all_or_nothing_when_they_are_not(share: float, said: str) -> None:
    assert percent(share) == said


def test_what_was_added_has_a_sign() -> None:
    assert [added_ms(value) for value in (298.2, -3.25, 0.0)] == ["+298 ms", "-3.2 ms", "+0 ms"]


def test_a_figure_is_told_in_its_unit() -> None:
    assert [amount(0.5, unit) for unit in ("requests/s", "ms", "share")] == ["0.5 requests/s", "0.5 ms", "50 %"]
