"""Puts the rows of the roll-ups together into a graph of services and the calls between them.

In: rows of `reads.edges`, `reads.services`, `reads.known_edges` and `reads.captured`. Out: one Topology, sorted by
name. The outside world is the service named ''.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from dashboards.captured import Captured
from dashboards.health import Health, judge

OUTSIDE = ""
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Traffic:
    """Calls over `seconds`; p50 to p99 in nanoseconds."""

    calls: int = 0
    errors: int = 0
    mesh_errors: int = 0
    seconds: float = 1.0
    mean: float = 0.0
    p50: float = 0.0
    p90: float = 0.0
    p95: float = 0.0
    p99: float = 0.0

    @property
    def rate(self) -> float:
        """Calls a second."""
        return self.calls / self.seconds

    @property
    def error_share(self) -> float:
        """Failed calls as a share of all."""
        return self.errors / self.calls if self.calls else 0.0


@dataclass(frozen=True)
class Node:
    """A service: what it was asked and how it answered. `own_mean` is its own time a request, in nanoseconds."""

    name: str
    traffic: Traffic
    own_mean: float | None = None
    versions: tuple[str, ...] = ()
    suspect: bool = False

    @property
    def health(self) -> Health:
        """By errors and p95; the suspect of an open incident is at least degraded, whatever its figures."""
        found = judge(self.traffic.calls, self.traffic.error_share, self.traffic.p95)
        return Health.DEGRADED if self.suspect and found is not Health.FAILING else found


@dataclass(frozen=True)
class Edge:
    """Calls from one service to another; `link_mean` is what the way between them took, in nanoseconds."""

    source: str
    target: str
    traffic: Traffic
    link_mean: float | None = None
    suspect: bool = False

    @property
    def health(self) -> Health:
        """By errors alone, for how slow a call may be is the callee's matter; the suspect of an open incident is at
        least degraded."""
        found = judge(self.traffic.calls, self.traffic.error_share, 0)
        return Health.DEGRADED if self.suspect and found is not Health.FAILING else found


@dataclass(frozen=True)
class Suspects:
    """Who is blamed by the open incidents: services, and links as `source -> target`, `*` being any source."""

    services: frozenset[str] = frozenset()
    links: frozenset[str] = frozenset()

    @classmethod
    def of(cls, incidents: Iterable[Row]) -> Self:
        """A link that is to blame for one of its callers leaves the service at its end alone."""
        still = [row for row in incidents if row["state"] == "open"]
        links = frozenset(row["link"] for row in still if row["link"])
        whole = (row["service"] for row in still if not row["link"] or row["link"].startswith("* -> "))
        return cls(frozenset(whole), links)

    def blames(self, source: str, target: str) -> bool:
        """Whether the link between the two is blamed."""
        return bool(self.links & {f"{source} -> {target}", f"* -> {target}"})


@dataclass(frozen=True)
class Topology:
    """Every service and edge, with and without traffic now."""

    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()
    captured: Captured = field(default_factory=Captured)
    _by_name: Mapping[str, Node] = field(default_factory=dict, repr=False, compare=False)

    def node(self, name: str) -> Node | None:
        """The service of that name."""
        return self._by_name.get(name)

    def edge(self, source: str, target: str) -> Edge | None:
        """The edge between two services."""
        return next((edge for edge in self.edges if (edge.source, edge.target) == (source, target)), None)

    def callers(self, name: str) -> list[Edge]:
        """Edges into a service, busiest first."""
        return sorted((e for e in self.edges if e.target == name), key=lambda e: -e.traffic.calls)

    def callees(self, name: str) -> list[Edge]:
        """Edges out of a service, busiest first."""
        return sorted((e for e in self.edges if e.source == name), key=lambda e: -e.traffic.calls)

    def troubled(self) -> frozenset[str]:
        """Services that fail or are slow, the suspects, and the ends of failing edges."""
        bad = {Health.DEGRADED, Health.FAILING}
        names = {node.name for node in self.nodes if node.health in bad or node.suspect}
        for edge in self.edges:
            if edge.health in bad:
                names |= {edge.source, edge.target}
        return frozenset(names)


def build(
    edges: Sequence[Row],
    services: Sequence[Row],
    known: Iterable[Row],
    suspects: Suspects,
    seconds: float,
    captured: Iterable[Row] = (),
) -> Topology:
    """Joins who called whom with how each service answered. `seconds` is how long the rows were gathered."""
    sides = {(row["source"], row["target"], row["reporter"]): row for row in edges}
    pairs = {(row["source"], row["target"]) for row in [*edges, *known]}
    drawn = tuple(replace(_edge(pair, sides, seconds), suspect=suspects.blames(*pair)) for pair in sorted(pairs))
    answered = {row["service"]: row for row in services}
    names = {name for pair in pairs for name in pair} | set(answered)
    nodes = tuple(_node(name, answered.get(name), drawn, name in suspects.services, seconds) for name in sorted(names))
    return Topology(nodes, drawn, Captured.of(captured), {node.name: node for node in nodes})


def _traffic(row: Row, seconds: float) -> Traffic:
    p50, p90, p95, p99 = row["quantiles"]
    mean = row["duration_sum"] / row["calls"] if row["calls"] else 0.0
    mesh_errors = row.get("mesh_errors", 0)
    return Traffic(row["calls"], row["errors"], mesh_errors, seconds, mean, p50, p90, p95, p99)


def _edge(pair: tuple[str, str], sides: Mapping[tuple[str, str, str], Row], seconds: float) -> Edge:
    """The caller's view counts what never arrived, so it is the one shown; outside callers report nothing."""
    sent = sides.get((*pair, "source"))
    received = sides.get((*pair, "destination"))
    seen = sent or received
    if seen is None:
        return Edge(*pair, Traffic(seconds=seconds))
    traffic = _traffic(seen, seconds)
    if sent is None or received is None:
        return Edge(*pair, traffic)
    return Edge(*pair, traffic, max(0.0, traffic.mean - _traffic(received, seconds).mean))


def _node(name: str, row: Row | None, edges: Iterable[Edge], suspect: bool, seconds: float) -> Node:
    if row is None:
        return Node(name, _seen_from_callers(name, edges, seconds), suspect=suspect)
    own = row["own_sum"] / row["own_calls"] if row["own_calls"] else None
    return Node(name, _traffic(row, seconds), own, tuple(sorted(row["versions"])), suspect)


def _seen_from_callers(name: str, edges: Iterable[Edge], seconds: float) -> Traffic:
    """A service that reports nothing itself is known by what its callers saw."""
    ways = [edge.traffic for edge in edges if (edge.source if name == OUTSIDE else edge.target) == name]
    busiest = max(ways, key=lambda way: way.calls, default=Traffic())
    calls = sum(way.calls for way in ways)
    errors = sum(way.errors for way in ways)
    return Traffic(
        calls,
        errors,
        sum(way.mesh_errors for way in ways),
        seconds,
        sum(way.mean * way.calls for way in ways) / calls if calls else 0.0,
        busiest.p50,
        busiest.p90,
        busiest.p95,
        busiest.p99,
    )
