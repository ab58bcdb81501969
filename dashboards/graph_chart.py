"""Draws a Topology as an ECharts graph at fixed places.

In: a Topology, its Layout, what the edge labels say, what is chosen. Out: the ECharts option; its nodes and edges stand
in the order of the Drawn, which is how a click comes back as an index.
Source: Apache ECharts 6 `series-graph`, `layout: 'none'`.
"""

from enum import StrEnum
from html import escape
from math import log10
from typing import Any

from dashboards import figures, graph_by_width
from dashboards.graph_picks import TROUBLE, Choice, Drawn, title
from dashboards.health import Health
from dashboards.layout import Layout
from dashboards.palette import Palette
from dashboards.topology import OUTSIDE, Edge, Node, Topology, Traffic

Option = dict[str, Any]


class EdgeLabel(StrEnum):
    """What stands on an edge."""

    RATE = "rate"
    P95 = "p95"
    ERRORS = "errors"


SYMBOLS = {Health.HEALTHY: "circle", Health.IDLE: "circle", Health.DEGRADED: "roundRect", Health.FAILING: "diamond"}
"""Health is a shape, too: not everybody tells red from green."""
LONGEST_NAME = 26


def _literal(name: str) -> str:
    """A name inside a label or tooltip template: neither a placeholder of ECharts nor HTML."""
    return escape(title(name).translate({ord("{"): "(", ord("}"): ")", ord("|"): "/"}))


def _short(name: str) -> str:
    """A name that leaves room for its neighbours': both of its ends; the tooltip has all of it."""
    return name if len(name) <= LONGEST_NAME else f"{name[:15]}…{name[-(LONGEST_NAME - 16) :]}"


def option(
    topology: Topology,
    layout: Layout,
    shown: Drawn,
    label: EdgeLabel,
    choice: Choice | None,
    colours: Palette,
    *,
    roam: bool = False,
) -> Option:
    """The chart. Node size and edge width grow with the logarithm of the rate; `roam` lets people zoom and move it.

    Every new option takes the view back to the start, so a drawing that renews itself should not roam.
    """
    busiest = max((edge.traffic.rate for edge in topology.edges), default=1.0)
    nodes = [node for node in topology.nodes if node.name in shown.nodes]
    edges = [edge for edge in topology.edges if (edge.source, edge.target) in shown.edges]
    series = {
        "id": "services",
        "type": "graph",
        "layout": "none",
        "roam": roam,
        "scaleLimit": {"min": 0.5, "max": 4},
        "preserveAspect": "contain",
        "selectedMode": "single",
        "left": 60,
        "right": 60,
        "top": 72,
        "bottom": 92,
        "edgeSymbol": ["none", "arrow"],
        "edgeSymbolSize": [0, 9],
        "emphasis": {"focus": "adjacency", "scale": 1.06, "label": {"show": True}},
        "blur": {"itemStyle": {"opacity": 0.4}, "lineStyle": {"opacity": 0.2}, "label": {"opacity": 0.45}},
        "data": [_node(node, layout, busiest, choice, colours) for node in nodes],
        "links": [_edge(edge, layout, busiest, label, choice, colours) for edge in edges],
    }
    return {
        "animation": False,
        "tooltip": {"confine": True, "borderWidth": 0, "formatter": "{b}"},
        "series": [series],
        "media": graph_by_width.media(series, [edge.suspect for edge in edges]),
    }


def sentence(topology: Topology) -> str:
    """The graph in words, for those who do not see it."""
    parts = [
        f"{title(node.name)}: {node.health}, {figures.rate(node.traffic.rate)}, "
        f"errors {figures.share(node.traffic.error_share)}, p95 {figures.duration(node.traffic.p95)}"
        for node in topology.nodes
        if node.name != OUTSIDE
    ]
    return f"Service graph of {len(parts)} services. " + "; ".join(parts)


def _scale(rate: float, busiest: float) -> float:
    return log10(1 + 9 * min(1.0, rate / busiest)) if busiest > 0 else 0.0


def _node(node: Node, layout: Layout, busiest: float, choice: Choice | None, colours: Palette) -> Option:
    place = layout.places[node.name]
    picked = choice == Choice(node.name)
    outside = node.name == OUTSIDE
    health = node.health
    style: Option = {
        "color": colours.surface if outside else colours.fill[health],
        "borderColor": colours.muted if outside else colours.state[health],
        "borderWidth": 5 if picked else 3,
        "borderType": "dashed" if outside or health is Health.IDLE else "solid",
    }
    if picked:
        style |= {"shadowBlur": 16, "shadowColor": colours.accent}
    if node.suspect:
        style |= {"shadowBlur": 28, "shadowColor": colours.state[Health.FAILING]}
    return {
        "id": f"service {node.name}",
        "name": title(node.name),
        "x": place.x,
        "y": place.y,
        "symbol": SYMBOLS[health],
        "symbolSize": round(26 if outside else 26 + 26 * _scale(node.traffic.rate, busiest), 1),
        "itemStyle": style,
        "select": {"itemStyle": style},
        "label": _node_label(node, node.name in layout.named_above, picked, colours),
        "tooltip": {"formatter": _tip(_literal(node.name), node.traffic)},
    }


def _node_label(node: Node, above: bool, picked: bool, colours: Palette) -> Option:
    lines = [f"{{name|{_literal(_short(node.name))}}}"]
    if node.name != OUTSIDE and node.traffic.calls:
        lines.append(f"{{figure|{figures.rate(node.traffic.rate)} · {figures.duration(node.traffic.p95)}}}")
    if node.traffic.errors and node.name != OUTSIDE:
        lines[-1] += f"{{errors| · {figures.share(node.traffic.error_share)}}}"
    if node.suspect:
        lines.append("{suspect|SUSPECT}")
    return {
        "show": True,
        "position": "top" if above else "bottom",
        "distance": 6,
        "formatter": "\n".join(lines),
        "rich": {
            "name": {
                "fontSize": 13,
                "fontWeight": 700 if picked else 600,
                "color": colours.accent if picked else colours.text,
                "lineHeight": 17,
                **_halo(colours),
            },
            "figure": {"fontSize": 11, "color": colours.muted, "lineHeight": 14, **_halo(colours)},
            "errors": {
                "fontSize": 11,
                "fontWeight": 600,
                "color": colours.state[Health.FAILING],
                "lineHeight": 14,
                **_halo(colours),
            },
            "suspect": _BADGE,
        },
    }


def _edge(
    edge: Edge, layout: Layout, busiest: float, label: EdgeLabel, choice: Choice | None, colours: Palette
) -> Option:
    picked = choice == Choice(edge.source, edge.target)
    health = edge.health
    bad = health in TROUBLE
    colour = colours.state[health] if bad else colours.line
    width = 1.2 + 4.8 * _scale(edge.traffic.rate, busiest)
    style = {
        "width": round(width + (1.5 if picked or edge.suspect else 0), 2),
        "color": colours.accent if picked else colour,
        "type": "dashed" if health is Health.IDLE else "solid",
        "opacity": 0.95 if bad or picked else 0.7,
        "curveness": layout.bends.get((edge.source, edge.target), 0.0),
    }
    return {
        "source": f"service {edge.source}",
        "target": f"service {edge.target}",
        "lineStyle": style,
        "select": {"lineStyle": style},
        "label": {
            "show": health is not Health.IDLE,
            "formatter": _edge_text(edge, label),
            "rich": {"suspect": _BADGE},
            "distance": 4,
            "opacity": 1,
            "fontSize": 11,
            "color": colours.state[Health.FAILING] if health is Health.FAILING else colours.muted,
            **_halo(colours),
        },
        "tooltip": {"formatter": _tip(f"{_literal(edge.source)} → {_literal(edge.target)}", edge.traffic)},
    }


_BADGE: Option = {
    "fontSize": 9,
    "fontWeight": 700,
    "color": "#ffffff",
    "backgroundColor": "#d92d3a",
    "borderRadius": 7,
    "padding": [3, 7, 2, 7],
    "lineHeight": 20,
}


def _halo(colours: Palette) -> Option:
    """Keeps text legible where an edge passes behind it."""
    return {"textBorderColor": colours.surface, "textBorderWidth": 3}


def _edge_text(edge: Edge, label: EdgeLabel) -> str:
    """The figure that was asked for; failures stand there whatever was, for colour alone is easily missed."""
    traffic = edge.traffic
    errors = figures.share(traffic.error_share)
    told = {
        EdgeLabel.RATE: figures.rate(traffic.rate),
        EdgeLabel.P95: figures.duration(traffic.p95),
        EdgeLabel.ERRORS: errors,
    }[label]
    if label is not EdgeLabel.ERRORS and traffic.errors and edge.health in TROUBLE:
        told += f" · {errors} failed"
    return f"{{suspect|SUSPECT}} {told}" if edge.suspect else told


def _tip(heading: str, traffic: Traffic) -> str:
    if not traffic.calls:
        return f"<b>{heading}</b><br/>no calls in this window"
    return (
        f"<b>{heading}</b><br/>{figures.rate(traffic.rate)} · {traffic.calls:,} calls"
        f"<br/>errors {figures.share(traffic.error_share)}"
        f"<br/>p50 {figures.duration(traffic.p50)} · p95 {figures.duration(traffic.p95)}"
        f" · p99 {figures.duration(traffic.p99)}"
    )
