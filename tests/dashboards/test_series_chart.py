"""Lines over time."""

import json
from datetime import UTC, datetime, timedelta

from dashboards import series_chart
from dashboards.palette import DARK, LIGHT, palette
from dashboards.series_chart import Mark, Span

T0 = datetime(2026, 11, 20, 12, tzinfo=UTC)
ROWS = [
    {"time": T0, "calls": 20, "errors": 1, "duration_sum": 200_000_000, "quantiles": [8e6, 9e6, 12e6, 15e6]},
    {"time": T0 + timedelta(seconds=10), "calls": 0, "errors": 0, "duration_sum": 0, "quantiles": [0, 0, 0, 0]},
]


def test_durations_are_drawn_in_milliseconds_and_the_median_on_top() -> None:
    series = series_chart.option(ROWS, series_chart.LATENCY, "ms", LIGHT)["series"]
    assert {line["name"]: line["data"][0][1] for line in series} == {"p99": 15, "p95": 12, "p50": 8}
    assert series[-1]["name"] == "p50"


def test_errors_are_a_percentage_and_a_gap_where_nothing_was_called() -> None:
    (line,) = series_chart.option(ROWS, series_chart.ERRORS, "%", LIGHT)["series"]
    assert [value for _, value in line["data"]] == [5, None]


def test_a_rate_divides_by_the_step() -> None:
    (line,) = series_chart.option(ROWS, series_chart.rate_line(10), "/s", LIGHT)["series"]
    assert line["data"][0][1] == 2


def test_an_incident_is_shaded_and_a_change_is_marked() -> None:
    option = series_chart.option(
        ROWS[:1],
        series_chart.MEAN,
        "ms",
        DARK,
        [Span(T0, T0 + timedelta(minutes=1), "incident")],
        [Mark(T0, "rollout")],
    )
    json.dumps(option)
    first = option["series"][0]
    start, end = first["markArea"]["data"][0]
    assert end["xAxis"] - start["xAxis"] == 60_000
    assert first["markLine"]["data"] == [{"xAxis": int(T0.timestamp() * 1000), "name": "rollout"}]


def test_the_colours_follow_the_theme_of_the_page() -> None:
    assert palette("dark") is DARK
    assert palette("light") is palette(None) is LIGHT
