"""Beside the graph when nothing is chosen: every service, the worst first, and what was changed lately."""

import streamlit as st

from dashboards import ask, figures, reads
from dashboards.health import Health
from dashboards.palette import NAMED
from dashboards.topology import OUTSIDE, Node, Topology
from dashboards.verbatim import plain
from dashboards.window import Window

CHANGES_SHOWN = 6
_WORST_FIRST = (Health.FAILING, Health.DEGRADED, Health.HEALTHY, Health.IDLE)


def overview(graph: Topology, window: Window) -> None:
    """Reads the changes of the window and draws both tables."""
    _services(sorted((node for node in graph.nodes if node.name != OUTSIDE), key=_urgency))
    st.caption("Click a service or an arrow, or pick one above.")
    changed = reads.changes(ask.rows, window)[:CHANGES_SHOWN]
    if changed:
        st.markdown("**Changed in this time**")
        st.table(
            {
                "time (UTC)": [f"{row['time']:%H:%M:%S}" for row in changed],
                "kind": [plain(row["kind"]) for row in changed],
                "what": [plain(row["summary"]) for row in changed],
            },
            border="horizontal",
        )


def _services(nodes: list[Node]) -> None:
    st.table(
        {
            "service": [f"**{plain(node.name)}**" + (" :red-badge[suspect]" if node.suspect else "") for node in nodes],
            "state": [f":{NAMED[node.health]}[● {node.health}]" for node in nodes],
            "rate": [figures.rate(node.traffic.rate) for node in nodes],
            "errors": [figures.share(node.traffic.error_share) for node in nodes],
            "p95": [figures.duration(node.traffic.p95) for node in nodes],
        },
        border="horizontal",
        alt="Every service with its state, rate, errors and p95",
    )


def _urgency(node: Node) -> tuple[bool, int, float]:
    return not node.suspect, _WORST_FIRST.index(node.health), -node.traffic.rate
