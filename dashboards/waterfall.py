"""Lays the spans of one trace out as a waterfall: parents above children, each where it ran.

In: rows of `reads.trace`. Out: bars in drawing order, and the ECharts option.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboards import figures
from dashboards.health import Health
from dashboards.palette import Palette

Row = Mapping[str, Any]
Option = dict[str, Any]
ROW_HEIGHT = 24
LABEL_WIDTH = 250
NARROW = 560  # pixels
NARROW_LABEL_WIDTH = 150
INDENT = "\u00a0\u00a0"  # a plain space at the start of a label is dropped


@dataclass(frozen=True)
class Bar:
    """One span: `start` counts from the trace's first span; both times in nanoseconds."""

    service: str
    span: str
    kind: str
    instance: str
    depth: int
    start: int
    duration: int
    failed: bool
    reason: str


def bars(spans: Sequence[Row]) -> list[Bar]:
    """Depth first, children by start. A span whose parent was not recorded stands as a root of its own."""
    if not spans:
        return []
    ids = {span["id"] for span in spans}
    children: dict[str, list[Row]] = {}
    for span in sorted(spans, key=lambda span: span["start"]):
        children.setdefault(span["parent"] if span["parent"] in ids else "", []).append(span)
    first = min(span["start"] for span in spans)
    waiting = [(span, 0) for span in reversed(children.get("", []))]
    drawn: list[Bar] = []
    seen: set[str] = set()
    while waiting:
        span, depth = waiting.pop()
        if span["id"] in seen:
            continue
        seen.add(span["id"])
        drawn.append(_bar(span, depth, first))
        waiting += [(child, depth + 1) for child in reversed(children.get(span["id"], []))]
    return drawn


def option(drawn: Sequence[Bar], colours: Palette) -> Option:
    """Horizontal bars, one colour a service; a failed span has a red edge and says so."""
    services = sorted({bar.service for bar in drawn})
    hue = {service: colours.series[index % len(colours.series)] for index, service in enumerate(services)}
    return {
        "animation": False,
        "media": _by_width(drawn),
        "grid": {"top": 26, "bottom": 4, "outerBoundsMode": "none"},
        "tooltip": {"confine": True},
        "xAxis": {
            "type": "value",
            "position": "top",
            "axisLabel": {"formatter": "{value} ms", "color": colours.muted},
            "splitLine": {"lineStyle": {"color": colours.grid}},
        },
        "yAxis": {
            "type": "category",
            "inverse": True,
            "axisLabel": {"color": colours.text, "align": "left", "overflow": "truncate"},
            "axisTick": {"show": False},
            "axisLine": {"show": False},
        },
        "series": [
            {
                "type": "bar",
                "stack": "time",
                "silent": True,
                "itemStyle": {"color": "transparent"},
                "data": [bar.start / 1e6 for bar in drawn],
            },
            {
                "type": "bar",
                "stack": "time",
                "barWidth": 12,
                "data": [_piece(bar, hue[bar.service], colours) for bar in drawn],
            },
        ],
    }


def _by_width(drawn: Sequence[Bar]) -> list[Option]:
    """Names as far in as their spans are deep, and on a narrow screen, which has no room for that, with fewer ticks."""
    names = [_name(bar) for bar in drawn]
    indented = [INDENT * bar.depth + name for bar, name in zip(drawn, names, strict=True)]
    narrow = {**_named(names, NARROW_LABEL_WIDTH, right=64), "xAxis": {"splitNumber": 2}}
    return [{"option": _named(indented, LABEL_WIDTH, right=100)}, {"query": {"maxWidth": NARROW}, "option": narrow}]


def _named(names: list[str], width: int, right: int) -> Option:
    label = {"margin": width - 4, "width": width - 14}
    return {"grid": {"left": width, "right": right}, "yAxis": {"axisLabel": label, "data": names}}


def _name(bar: Bar) -> str:
    """Who, and what: a call as its caller saw it has an arrow."""
    who = f"{bar.service} →" if bar.kind == "Client" else bar.instance or bar.service
    return f"{who} {bar.span}"


def _bar(span: Row, depth: int, first: int) -> Bar:
    attributes = span["attributes"]
    return Bar(
        service=span["service"],
        span=span["span"],
        kind=span["kind"].removeprefix("SPAN_KIND_").capitalize(),
        instance=span["instance"],
        depth=depth,
        start=span["start"] - first,
        duration=span["duration"],
        failed=span["status"].upper().endswith("ERROR"),
        reason=attributes.get("mesh.reason", ""),
    )


def _piece(bar: Bar, colour: str, colours: Palette) -> Option:
    note = figures.duration(bar.duration)
    if bar.failed:
        note += f"  failed {bar.reason}".rstrip()
    red = colours.state[Health.FAILING]
    return {
        "value": max(bar.duration, 1) / 1e6,
        "itemStyle": {
            "color": colour,
            "borderRadius": 2,
            "opacity": 0.55 if bar.kind == "Client" else 1,
            "borderColor": red if bar.failed else "transparent",
            "borderWidth": 2 if bar.failed else 0,
        },
        "label": {
            "show": True,
            "position": "right",
            "opacity": 1,
            "formatter": note.translate({ord("{"): "(", ord("}"): ")"}),
            "color": red if bar.failed else colours.muted,
            "fontSize": 11,
        },
        "tooltip": {"show": False},
    }
