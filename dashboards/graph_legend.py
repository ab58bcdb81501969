"""The legend of the service graph as HTML: what colour, size, width and label mean, and how much was captured."""

from html import escape

from dashboards import figures
from dashboards.graph_chart import SYMBOLS
from dashboards.health import THRESHOLDS
from dashboards.palette import Palette
from dashboards.topology import Topology


def legend(graph: Topology, colours: Palette) -> str:
    """One line of swatches and one of words."""
    items = [
        f'<span><span class="swatch {SYMBOLS[health]}" '
        f'style="background:{colours.fill[health]};border-color:{colours.state[health]}">'
        f"</span><b>{health}</b> {escape(words)}</span>"
        for health, words in THRESHOLDS.legend().items()
    ]
    busiest = max((edge.traffic.rate for edge in graph.edges), default=0.0)
    words = (
        "At a name: calls answered, p95 and errors. "
        f"Shape and arrow grow with the rate, up to {figures.rate(busiest)}. "
        f"{graph.captured.sentence()}"
    )
    return f'<div class="legend">{"".join(items)}</div><div class="legend">{escape(words)}</div>'
