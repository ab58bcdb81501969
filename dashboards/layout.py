"""Gives each service a fixed place: callers left, callees right, as few crossings as a few sweeps find.

In: names and who calls whom. Out: a place for each name and a bend for each edge. Never: traffic, time or chance, so
that a refresh moves nothing.
Source: the layered drawing of Sugiyama, Tagawa and Toda (1981): cut cycles, layer by longest path, order by barycentre.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import atan, atan2, pi, remainder, sin

WIDTH = 1000.0
HEIGHT = 600.0
SWEEPS = 8
ALIKE = 0.1  # radians

Pair = tuple[str, str]
# A place in the drawing: a service, or where an edge that skips a layer passes (source, target, layer).
Spot = str | tuple[str, str, int]


@dataclass(frozen=True)
class Place:
    """Centre of a node; x grows to the right, y downwards."""

    x: float
    y: float


@dataclass(frozen=True)
class Layout:
    """Where everything is. A bend is the signed curveness of ECharts: its share of the edge's length.

    `named_above` are the nodes whose edges leave more room above them for a name than below.
    """

    places: Mapping[str, Place]
    bends: Mapping[Pair, float]
    named_above: frozenset[str] = frozenset()


def arrange(names: Iterable[str], pairs: Iterable[Pair]) -> Layout:
    """Places the services of a graph; equal graphs get equal places, whatever the order of the input."""
    nodes = sorted(set(names))
    wanted = sorted({pair for pair in pairs if pair[0] != pair[1]})
    forward = _without_cycles(nodes, wanted)
    layer = _layers(nodes, forward)
    chains = {pair: _chain(pair, layer) for pair in forward}
    columns = _ordered(nodes, layer, list(chains.values()))
    spots = _coordinates(columns)
    places = {name: spots[name] for name in nodes}
    bends = {pair: _bend(pair, chains, spots) for pair in wanted}
    return Layout(places, bends, frozenset(name for name in nodes if _has_room_above(name, places, bends)))


def _has_room_above(name: str, places: Mapping[str, Place], bends: Mapping[Pair, float]) -> bool:
    """Whether the edge nearest to the vertical is further away upwards; when both are alike, more edges go down."""
    angles = [_angle(name, pair, places, bend) for pair, bend in bends.items() if name in pair]
    above, below = (min((_apart(angle, way) for angle in angles), default=pi) for way in (-pi / 2, pi / 2))
    if abs(above - below) > ALIKE:
        return above > below
    return sum(sin(angle) for angle in angles) > ALIKE


def _angle(name: str, pair: Pair, places: Mapping[str, Place], bend: float) -> float:
    """In which direction an edge leaves a node, or comes in, as an angle from the right; downwards is positive."""
    leaves = pair[0] == name
    here, there = places[name], places[pair[1] if leaves else pair[0]]
    turn = -atan(2 * bend) if leaves else atan(2 * bend)
    return remainder(atan2(there.y - here.y, there.x - here.x) + turn, 2 * pi)


def _apart(one: float, other: float) -> float:
    return abs(remainder(one - other, 2 * pi))


def _without_cycles(nodes: Sequence[str], pairs: Sequence[Pair]) -> list[Pair]:
    """The edges, less those that lead back into the path a depth-first walk is on."""
    targets = {name: [target for source, target in pairs if source == name] for name in nodes}
    called = {target for _, target in pairs}
    done: set[str] = set()
    kept: list[Pair] = []
    for root in sorted(nodes, key=lambda name: (name in called, name)):
        path: list[tuple[str, int]] = [] if root in done else [(root, 0)]
        while path:
            name, index = path.pop()
            if index == len(targets[name]):
                done.add(name)
                continue
            path.append((name, index + 1))
            target = targets[name][index]
            if target in (step for step, _ in path):
                continue
            kept.append((name, target))
            if target not in done:
                path.append((target, 0))
    return sorted(kept)


def _layers(nodes: Sequence[str], forward: Sequence[Pair]) -> dict[str, int]:
    """Length of the longest way to each node."""
    layer = dict.fromkeys(nodes, 0)
    for _ in nodes:
        moved = False
        for source, target in forward:
            if layer[target] <= layer[source]:
                layer[target] = layer[source] + 1
                moved = True
        if not moved:
            break
    return layer


def _chain(pair: Pair, layer: Mapping[str, int]) -> list[Spot]:
    source, target = pair
    between = range(layer[source] + 1, layer[target])
    return [source, *((source, target, step) for step in between), target]


def _ordered(nodes: Sequence[str], layer: Mapping[str, int], chains: Sequence[list[Spot]]) -> list[list[Spot]]:
    """The spots of each layer from top to bottom, after sweeping right and left by barycentre."""
    columns: list[list[Spot]] = [[] for _ in range(max(layer.values(), default=0) + 1)]
    for name in nodes:
        columns[layer[name]].append(name)
    for chain in chains:
        for spot in chain[1:-1]:
            columns[int(spot[2])].append(spot)
    left: dict[Spot, list[Spot]] = {}
    right: dict[Spot, list[Spot]] = {}
    for chain in chains:
        for before, after in pairwise(chain):
            right.setdefault(before, []).append(after)
            left.setdefault(after, []).append(before)
    for sweep in range(SWEEPS):
        inward = sweep % 2 == 0
        for index in range(len(columns)) if inward else reversed(range(len(columns))):
            beside = index - 1 if inward else index + 1
            if 0 <= beside < len(columns):
                _sort_by_neighbours(columns[index], columns[beside], left if inward else right)
    return columns


def _sort_by_neighbours(column: list[Spot], beside: Sequence[Spot], neighbours: Mapping[Spot, Sequence[Spot]]) -> None:
    rank = {spot: (index + 0.5) / len(beside) for index, spot in enumerate(beside)}
    own = {spot: (index + 0.5) / len(column) for index, spot in enumerate(column)}

    def barycentre(spot: Spot) -> float:
        ranks = [rank[other] for other in neighbours.get(spot, ()) if other in rank]
        return sum(ranks) / len(ranks) if ranks else own[spot]

    column.sort(key=barycentre)


def _coordinates(columns: Sequence[Sequence[Spot]]) -> dict[Spot, Place]:
    """Columns spread over the width, each centred, at the gap the fullest one leaves."""
    tallest = max((len(column) for column in columns), default=1)
    gap = HEIGHT / max(1, tallest - 1)
    step = WIDTH / max(1, len(columns) - 1)
    spots = {}
    for index, column in enumerate(columns):
        top = (HEIGHT - gap * (len(column) - 1)) / 2
        for row, spot in enumerate(column):
            spots[spot] = Place(round(index * step, 1), round(top + row * gap, 1))
    return spots


def _bend(pair: Pair, chains: Mapping[Pair, Sequence[Spot]], spots: Mapping[Spot, Place]) -> float:
    """How far an edge leaves the straight line to pass where its layers kept room for it."""
    if pair not in chains:
        return 0.3  # leads back: drawn as an arc, apart from the edge it returns along
    start, end = spots[pair[0]], spots[pair[1]]
    between = chains[pair][1:-1]
    if not between:
        return 0.0
    off = [_offset(spots[spot], start, end) for spot in between]
    furthest = max(off, key=abs)
    return round(max(-0.45, min(0.45, -2 * furthest / (end.x - start.x))), 3)


def _offset(spot: Place, start: Place, end: Place) -> float:
    along = (spot.x - start.x) / (end.x - start.x)
    return spot.y - (start.y + along * (end.y - start.y))
