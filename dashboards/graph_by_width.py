"""The graph on a narrow screen: from top to bottom instead of from left to right, and fewer words.

In: the series of a wide screen. Out: what ECharts is to draw by width (`media`). Nodes and edges keep their order, for
a click comes back as an index.
"""

from collections.abc import Mapping, Sequence
from typing import Any

NARROW = 560  # pixels
SMALLER = 0.7
KEPT = ("id", "left", "right", "top", "bottom", "preserveAspect", "data", "links")

Option = dict[str, Any]


def media(series: Mapping[str, Any], suspects: Sequence[bool]) -> list[Option]:
    """Both drawings. In the narrow one a link has a label only when it is a suspect; failures stand at names, too."""
    narrow = {
        "id": series["id"],
        "left": 48,
        "right": 48,
        "top": 44,
        "bottom": 64,
        "preserveAspect": False,
        "data": [_turned(node) for node in series["data"]],
        "links": [_plainer(link, told) for link, told in zip(series["links"], suspects, strict=True)],
    }
    return [
        {"option": {"series": [{name: series[name] for name in KEPT}]}},
        {"query": {"maxWidth": NARROW}, "option": {"series": [narrow]}},
    ]


def _turned(node: Mapping[str, Any]) -> Option:
    """Names stand below all: above one they would stand on that of the service before it."""
    size = round(SMALLER * node["symbolSize"], 1)
    return {
        **node,
        "x": node["y"],
        "y": node["x"],
        "symbolSize": size,
        "label": {**node["label"], "position": "bottom"},
    }


def _plainer(link: Mapping[str, Any], told: bool) -> Option:
    """What bent to one side bends to the other in the mirror."""
    style = {**link["lineStyle"], "curveness": -link["lineStyle"]["curveness"]}
    label = {**link["label"], "show": told and link["label"]["show"]}
    return {**link, "lineStyle": style, "select": {"lineStyle": style}, "label": label}
