"""Turns node series and a static call graph into a window, for recordings that hold no spans.

In: rows per node and time with requests, error rate and mean latency. Out: the same Window as from spans, where own
time and own errors are what the node's callees do not account for. A callee with several callers is
shared out among them by their requests, since nothing says who called it.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rootcause.load.window import Bucket, Called, Interval, Quantiles, Served, Window


@dataclass(frozen=True, slots=True)
class NodeRow:
    """One node in one time step; `p` are its latency quantiles in ms, where known."""

    start: float
    node: str
    requests: float
    error_rate: float
    mean_ms: float
    p: Quantiles | None


def read_nodes(path: Path, intervals: Iterable[Interval]) -> list[NodeRow]:
    """Rows of whole nodes inside the intervals; steps without data are left out."""
    import pyarrow.parquet  # noqa: PLC0415 (only recorded incidents need it)

    within = list(intervals)
    found = []
    for row in pyarrow.parquet.read_table(path).to_pylist():
        start = row["time"].timestamp()
        if row["source"] is not None or not row["requests"] or not any(start in interval for interval in within):
            continue
        levels = [row[f"latency_{name}"] for name in ("p50", "p90", "p95", "p99")]
        quantiles = None if None in levels else Quantiles(*(level * 1000 for level in levels))
        rate, mean = row["error_rate"] or 0.0, (row["latency_avg"] or 0.0) * 1000
        found.append(NodeRow(start, row["destination"], row["requests"], rate, mean, quantiles))
    return found


def read_graph(path: Path) -> dict[str, set[str]]:
    """Callees by caller from graph.csv; empty when there is none."""
    callees: dict[str, set[str]] = defaultdict(set)
    if path.exists():
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                callees[row["source"]].add(row["destination"])
    return callees


def node_window(
    rows: Iterable[NodeRow], callees: Mapping[str, set[str]], entries: frozenset[str], intervals: tuple[Interval, ...]
) -> Window:
    """The window of these rows; requests of `entries` count as coming from outside."""
    at: dict[float, dict[str, NodeRow]] = defaultdict(dict)
    for row in rows:
        at[row.start][row.node] = row
    buckets: dict[str, list[Bucket]] = defaultdict(list)
    spread: dict[str, list[Quantiles]] = defaultdict(list)
    for start, nodes in sorted(at.items()):
        for node, row in nodes.items():
            buckets[node].append(_bucket(start, row, nodes, callees))
            if row.p is not None:
                spread[node].append(row.p)
    levels = {node: _middle(steps) for node, steps in spread.items()}
    served = tuple(
        Served(node, "", node, "", node in entries, tuple(series), levels.get(node), levels.get(node))
        for node, series in buckets.items()
    )
    called = tuple(
        Called(False, source, callee, "", "", callee, (), waited=_waits(levels.get(source), levels.get(callee)))
        for source, names in callees.items()
        for callee in names
    )
    return Window(intervals, served, called)


def _waits(caller: Quantiles | None, callee: Quantiles | None) -> bool:
    """Nobody waits for what usually takes longer than nearly all of the caller's own answers."""
    return caller is None or callee is None or callee.p50 <= caller.p99


def _bucket(start: float, row: NodeRow, nodes: Mapping[str, NodeRow], callees: Mapping[str, set[str]]) -> Bucket:
    total, failed = row.requests * row.mean_ms, row.requests * row.error_rate
    own_ms, own_failed = total, failed
    for name in callees.get(row.node, ()):
        callee = nodes.get(name)
        if callee is None or name == row.node:
            continue
        callers = sum(nodes[c].requests for c, names in callees.items() if name in names and c in nodes)
        part = row.requests / callers
        own_ms -= part * callee.requests * callee.mean_ms
        own_failed -= part * callee.requests * callee.error_rate
    calls = round(row.requests)
    errors, own_errors = round(failed), max(0, round(own_failed))
    return Bucket(start, calls, errors, total, own_errors, own_ms, calls)


def _middle(levels: list[Quantiles]) -> Quantiles | None:
    """The median step's quantiles."""
    return sorted(levels, key=lambda q: q.p95)[len(levels) // 2] if levels else None
