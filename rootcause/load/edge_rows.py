"""Reads recorded node and edge series: one row per time step and node or edge, as `edges.parquet` holds them.

In: a Parquet file, a static call graph. Out: rows with requests, error rate and latency in ms, those without data left
out. Raises CaseRefused, which names the file.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from rootcause.load.recorded import CaseRefused, rows
from rootcause.load.window import Interval, Quantiles

_BY_CALLER = {"source", "client", "outbound", "caller"}
_LEVELS = ("p50", "p90", "p95", "p99")


@dataclass(frozen=True, slots=True)
class EdgeRow:
    """One node, or one edge into it, in one time step. `source` is empty for a node as a whole; `by_source`: the caller
    measured it. `instance` is of whoever measured; `p` are latency quantiles in ms, where known."""

    start: float
    source: str
    destination: str
    by_source: bool
    instance: str
    requests: float
    error_rate: float
    mean_ms: float
    p: Quantiles | None

    @property
    def total_ms(self) -> float:
        """Of all its requests together."""
        return self.requests * self.mean_ms

    @property
    def failed(self) -> float:
        """How many of its requests failed."""
        return self.requests * self.error_rate


def read_edges(path: Path, intervals: Iterable[Interval]) -> list[EdgeRow]:
    """Rows inside the intervals; steps without requests tell nothing and are left out."""
    within = list(intervals)
    return [row for row in _all(path) if any(row.start in interval for interval in within)]


@cache
def _all(path: Path) -> tuple[EdgeRow, ...]:
    """Normal time is read once for all cases of a suite."""
    try:
        return tuple(_row(row) for row in rows(path) if row["requests"])
    except KeyError as missing:
        raise CaseRefused(f"{path}: has no column {missing}") from None


def read_graph(path: Path) -> dict[str, set[str]]:
    """Callees by caller from graph.csv; empty when there is none."""
    callees: dict[str, set[str]] = defaultdict(set)
    if path.exists():
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                callees[row["source"]].add(row["destination"])
    return callees


def _row(row: dict[str, Any]) -> EdgeRow:
    source, reporter = row["source"] or "", (row.get("reporter") or "").lower()
    return EdgeRow(
        row["time"].timestamp(),
        source,
        row["destination"],
        bool(source) and (reporter in _BY_CALLER or reporter == source.lower()),
        row.get("instance") or "",
        row["requests"],
        row["error_rate"] or 0.0,
        _mean_ms(row),
        _quantiles(row),
    )


def _mean_ms(row: dict[str, Any]) -> float:
    """The mean, or the median where only quantiles were kept."""
    return ((row.get("latency_avg") or row.get("latency_p50")) or 0.0) * 1000


def _quantiles(row: dict[str, Any]) -> Quantiles | None:
    levels = [row.get(f"latency_{name}") for name in _LEVELS]
    return Quantiles(*(level * 1000 for level in levels if level is not None)) if None not in levels else None
