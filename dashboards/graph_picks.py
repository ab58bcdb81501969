"""What of the graph is shown, and what a reader picked of it by a click, from the list or by an address.

In: a Topology, selection events of the chart, an entry of the list. Out: what is drawn in which order, a Choice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboards.health import Health
from dashboards.topology import OUTSIDE, Topology

ALL = "All services"
TROUBLE = frozenset({Health.DEGRADED, Health.FAILING})


@dataclass(frozen=True)
class Drawn:
    """What is on the canvas, in the order of the indices that a click reports."""

    nodes: tuple[str, ...]
    edges: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Choice:
    """What the reader picked: a service, or a call when `target` is set."""

    service: str
    target: str | None = None

    @property
    def entry(self) -> str:
        """Its name in the list and in the address; the outside has no entry of its own."""
        if self.target is not None:
            return f"{title(self.service)} → {self.target}"
        return ALL if self.service == OUTSIDE else self.service


def title(name: str) -> str:
    """How a service is called on the screen."""
    return name or "outside"


def entries(topology: Topology) -> dict[str, Choice]:
    """Everything that can be picked from the list: services, then calls."""
    services = [Choice(node.name) for node in topology.nodes if node.name != OUTSIDE]
    calls = [Choice(edge.source, edge.target) for edge in topology.edges]
    return {choice.entry: choice for choice in [*services, *calls]}


def drawn(topology: Topology, only_trouble: bool) -> Drawn:
    """The part of the graph that is shown; `only_trouble` keeps what fails, is slow or is suspected."""
    kept = topology.troubled() if only_trouble else {node.name for node in topology.nodes}
    edges = tuple(
        (edge.source, edge.target)
        for edge in topology.edges
        if not only_trouble or ({edge.source, edge.target} <= kept and edge.health in TROUBLE)
    )
    return Drawn(tuple(node.name for node in topology.nodes if node.name in kept), edges)


def chosen(selected: Sequence[Mapping[str, Any]], shown: Drawn) -> Choice | None:
    """What a selection event of the chart points at; None when it points at nothing that is drawn."""
    for group in selected:
        for index in group.get("data_indices", ()):
            if group.get("data_type") == "edge" and index < len(shown.edges):
                return Choice(*shown.edges[index])
            if group.get("data_type") == "node" and index < len(shown.nodes):
                return Choice(shown.nodes[index])
    return None


def after_click(picked: Choice | None, clicked: Choice | None, entry: str) -> Choice | None:
    """What a click leaves chosen, when `clicked` was clicked last and the list stands at `entry`.

    A second click on the same thing reaches us as an empty selection (`picked` None): it takes the choice back, unless
    the list has moved on in the meantime; then it chooses again what was clicked.
    """
    if picked is not None:
        return picked
    return None if clicked is None or clicked.entry == entry else clicked
