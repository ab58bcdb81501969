"""Simulated traffic as series of nodes and edges, in the shapes that recordings of other systems have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cache

from rootcause.load.edge_rows import EdgeRow
from rootcause.load.from_edges import entry_nodes, window_of_edges
from rootcause.load.spans import Kind, Span
from rootcause.load.tally import quantiles
from rootcause.load.window import Interval, Window
from tests.world.mesh_sim import Fault, Shop

OUTSIDE = "ingress"
STEP_S = 15.0
START = 1_700_000_000.0
NORMAL = Interval(START, START + 10 * STEP_S)
QUESTION = Interval(NORMAL.end, NORMAL.end + 4 * STEP_S)

SHAPES = {
    "both ends": ("caller", "callee"),
    "callers": ("caller",),
    "callees": ("callee",),
    "edges by nobody in particular": ("unsaid",),
    "nodes, and edges of callers": ("node", "caller"),
    "nodes and a graph": ("node", "graph"),
    "nodes alone": ("node",),
}


@cache
def traffic(seed: int, *faults: Fault) -> tuple[Span, ...]:
    """What the proxies of the shop saw; faults start between normal time and the time in question."""
    return tuple(one.span for one in Shop(seed, rate=15.0, faults=faults).run(START, QUESTION.end - START))


def windows(shape: str, spans: Sequence[Span]) -> tuple[Window, Window]:
    """Normal time and the time in question, in one shape."""
    rows = [row for by in SHAPES[shape] if by != "graph" for row in series(spans, by)]
    graph = callees(spans) if "graph" in SHAPES[shape] else {}
    usual, now = ([row for row in rows if row.start in interval] for interval in (NORMAL, QUESTION))
    entries = entry_nodes(rows, graph)
    return window_of_edges(usual, graph, entries, (NORMAL,)), window_of_edges(now, graph, entries, (QUESTION,))


def series(spans: Sequence[Span], by: str) -> list[EdgeRow]:
    """Rows of every step, as one kind of reporter tells them."""
    found: dict[tuple[float, str, str], list[Span]] = defaultdict(list)
    callers = _callers(spans)
    for span in spans:
        if (span.kind is Kind.CLIENT) != (by == "caller") and not (by == "caller" and span.id in callers[OUTSIDE]):
            continue
        source = "" if by == "node" else next(name for name, ids in callers.items() if span.id in ids)
        start = span.start_ns / 1e9 // STEP_S * STEP_S
        found[start, source, span.peer].append(span)
    return [_row(*key, by == "caller", group) for key, group in found.items()]


def callees(spans: Sequence[Span]) -> dict[str, set[str]]:
    """The static call graph."""
    found: dict[str, set[str]] = defaultdict(set)
    for span in spans:
        if span.kind is Kind.CLIENT:
            found[span.service].add(span.peer)
    return found


def _callers(spans: Sequence[Span]) -> dict[str, set[str]]:
    """Ids of spans by who called."""
    service = {span.id: span.service for span in spans}
    found: dict[str, set[str]] = defaultdict(set)
    for span in spans:
        caller = span.service if span.kind is Kind.CLIENT else service.get(span.parent, OUTSIDE)
        found[caller].add(span.id)
    return found


def _row(start: float, source: str, destination: str, by_source: bool, spans: Sequence[Span]) -> EdgeRow:
    ms = [span.duration_ns / 1e6 for span in spans]
    failed = sum(span.failed for span in spans) / len(spans)
    return EdgeRow(start, source, destination, by_source, "", len(ms), failed, sum(ms) / len(ms), quantiles(ms))
