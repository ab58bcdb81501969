"""Numbers as people read them."""

from datetime import UTC, datetime, timedelta

import pytest

from dashboards import figures


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0 ms"),
        (250, "250 ns"),
        (470_000, "470 µs"),
        (4_520_000, "4.5 ms"),
        (42_000_000, "42 ms"),
        (1_300_000_000, "1.3 s"),
        (210_000_000_000, "3.5 min"),
        (None, figures.NOTHING),
        (float("nan"), figures.NOTHING),
    ],
)
def test_a_duration_takes_the_unit_that_keeps_it_short(nanoseconds: float | None, text: str) -> None:
    assert figures.duration(nanoseconds) == text


@pytest.mark.parametrize(
    ("per_second", "text"), [(0, "0/s"), (0.05, "3/min"), (0.98, "0.98/s"), (12.3, "12/s"), (48210, "48,210/s")]
)
def test_a_rate_that_is_slow_counts_by_the_minute(per_second: float, text: str) -> None:
    assert figures.rate(per_second) == text


@pytest.mark.parametrize(
    ("part", "text"), [(0, "0 %"), (0.00004, "<0.01 %"), (0.0052, "0.52 %"), (0.081, "8.1 %"), (1, "100 %")]
)
def test_a_share_that_is_not_zero_never_reads_as_zero(part: float, text: str) -> None:
    assert figures.share(part) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (61, "ms", "61 ms"),
        (-3.2, "ms", "-3.2 ms"),
        (0.081, "share", "8.1 %"),
        (12, "calls", "12 calls"),
        (None, "ms", figures.NOTHING),
    ],
)
def test_a_measured_value_keeps_the_unit_of_its_finding(value: float | None, unit: str, text: str) -> None:
    assert figures.measured(value, unit) == text


@pytest.mark.parametrize(
    ("count", "text"), [(12, "12 B"), (2048, "2 KiB"), (5_500_000, "5.2 MiB"), (3 << 40, "3,072 GiB")]
)
def test_bytes_are_said_in_binary_units(count: int, text: str) -> None:
    assert figures.size(count) == text


def test_a_change_without_figures_is_a_dash() -> None:
    assert figures.change(None, None, "ms") == figures.NOTHING
    assert figures.change(21, 261, "ms") == "21 ms → 261 ms"


@pytest.mark.parametrize(
    ("seconds", "text"), [(-5, "0 s ago"), (59, "59 s ago"), (61, "1 min ago"), (7300, "2 h ago"), (200_000, "2 d ago")]
)
def test_how_long_ago_is_said_in_the_largest_whole_unit(seconds: int, text: str) -> None:
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert figures.ago(now - timedelta(seconds=seconds), now) == text
