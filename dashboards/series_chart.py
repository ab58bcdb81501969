"""Draws time series as ECharts lines, with an incident's span shaded and changes marked.

In: rows of a series read from the store. Out: the ECharts option. Times are UTC, as in every text beside it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboards.palette import Palette

Row = Mapping[str, Any]
Option = dict[str, Any]
NANOSECONDS_IN_MS = 1e6


@dataclass(frozen=True)
class Line:
    """One line: its name and how a row becomes its value; None leaves a gap."""

    name: str
    value: Callable[[Row], float | None]
    area: bool = False


@dataclass(frozen=True)
class Span:
    """A shaded stretch of time."""

    start: datetime
    end: datetime
    name: str


@dataclass(frozen=True)
class Mark:
    """A vertical line at a moment."""

    time: datetime
    name: str


# Where two lines coincide the later one is on top: the lower quantile, which is the better known.
LATENCY = (
    Line("p99", lambda row: row["quantiles"][3] / NANOSECONDS_IN_MS),
    Line("p95", lambda row: row["quantiles"][2] / NANOSECONDS_IN_MS),
    Line("p50", lambda row: row["quantiles"][0] / NANOSECONDS_IN_MS),
)
MEAN = (
    Line("p95", lambda row: row["quantiles"][2] / NANOSECONDS_IN_MS),
    Line("mean", lambda row: row["duration_sum"] / row["calls"] / NANOSECONDS_IN_MS),
)
ERRORS = (Line("errors", lambda row: 100 * row["errors"] / row["calls"] if row["calls"] else None, area=True),)


def rate_line(step: int) -> tuple[Line]:
    """Calls a second, of rows that each cover `step` seconds."""
    return (Line("calls", lambda row: row["calls"] / step, area=True),)


def option(
    rows: Sequence[Row],
    lines: Sequence[Line],
    unit: str,
    colours: Palette,
    shaded: Sequence[Span] = (),
    marks: Sequence[Mark] = (),
) -> Option:
    """The chart; `unit` stands at the axis."""
    series = [_series(rows, line, colours.lines[line.name], unit) for line in lines]
    if series:
        series[0]["markArea"] = _areas(shaded, colours)
        series[0]["markLine"] = _marks(marks, colours)
    return {
        "animation": False,
        "useUTC": True,
        "grid": {"left": 8, "right": 16, "top": 30, "bottom": 4, "containLabel": True},
        "legend": {"show": len(series) > 1, "top": 0, "right": 0, "itemHeight": 8, "itemWidth": 14},
        "tooltip": {"trigger": "axis", "valueFormatter": "%.3g"},
        "xAxis": {"type": "time", "axisLabel": {"color": colours.muted}, "splitLine": {"show": False}},
        "yAxis": {
            "type": "value",
            "min": 0,
            "name": unit,
            "nameTextStyle": {"color": colours.muted, "align": "left"},
            "splitNumber": 3,
            "axisLabel": {"color": colours.muted},
            "splitLine": {"lineStyle": {"color": colours.grid}},
        },
        "series": series,
    }


def _series(rows: Sequence[Row], line: Line, colour: str, unit: str) -> Option:
    return {
        "name": line.name,
        "type": "line",
        "showSymbol": len(rows) < 3,
        "symbolSize": 5,
        "color": colour,
        "lineStyle": {"width": 2},
        "areaStyle": {"opacity": 0.12} if line.area else None,
        "data": [[_axis_time(row["time"]), line.value(row)] for row in rows],
        "tooltip": {"valueFormatter": "%.3g " + unit.replace("%", "%%")},
    }


def _areas(shaded: Sequence[Span], colours: Palette) -> Option:
    return {
        "silent": True,
        "itemStyle": {"color": colours.accent, "opacity": 0.1},
        "label": {"color": colours.muted, "fontSize": 11, "position": "insideBottomLeft"},
        "data": [[{"xAxis": _axis_time(s.start), "name": s.name}, {"xAxis": _axis_time(s.end)}] for s in shaded],
    }


def _marks(marks: Sequence[Mark], colours: Palette) -> Option:
    return {
        "silent": True,
        "symbol": ["none", "none"],
        "lineStyle": {"color": colours.series[2], "type": "dashed", "width": 1.5},
        "label": {"formatter": "{b}", "color": colours.series[2], "fontSize": 11, "position": "insideEndTop"},
        "data": [{"xAxis": _axis_time(mark.time), "name": mark.name} for mark in marks],
    }


def _axis_time(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
