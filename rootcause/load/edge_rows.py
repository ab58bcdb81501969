"""Reads recorded node and edge series: one row per time step and node or edge, as `edges.parquet` holds them.

In: a Parquet file, a static call graph. Out: rows with requests, error rate and latency in ms, those without data left
out. Raises CaseRefused, which names the file.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from rootcause.load.levels import LEVELS, mean_of, quantiles_of
from rootcause.load.recorded import CaseRefused
from rootcause.load.tables import Column, number, rows, seconds, text
from rootcause.load.window import Interval, Quantiles

_BY_CALLER = {"source", "client", "outbound", "caller"}
_COLUMNS = (
    Column("time", seconds, needed=True),
    Column("source", text),
    Column("destination", text, needed=True),
    Column("reporter", text),
    Column("instance", text),
    Column("requests", number, needed=True),
    Column("error_rate", number),
    Column("latency_avg", number),
    *(Column(f"latency_p{level:.0f}", number) for level in LEVELS),
)
_KEPT = 16


@dataclass(frozen=True, slots=True)
class EdgeRow:
    """One node, or one edge into it, in one time step. `source` is empty for a node as a whole; `by_source`: the caller
    measured it. `instance` is of whoever measured; `p` are latency quantiles in ms, where known. None is not told."""

    start: float
    source: str
    destination: str
    by_source: bool
    instance: str
    requests: float
    error_rate: float | None
    mean_ms: float | None
    p: Quantiles | None

    @property
    def total_ms(self) -> float:
        """Of all its requests together."""
        return self.requests * (self.mean_ms or 0.0)

    @property
    def failed(self) -> float:
        """How many of its requests failed."""
        return self.requests * (self.error_rate or 0.0)


def read_edges(path: Path, intervals: Iterable[Interval]) -> list[EdgeRow]:
    """Rows inside the intervals; steps without requests tell nothing and are left out."""
    within = list(intervals)
    return [row for row in _all(path) if any(row.start in interval for interval in within)]


@lru_cache(_KEPT)
def _all(path: Path) -> tuple[EdgeRow, ...]:
    """Normal time is read once for the cases that share it."""
    return tuple(_row(*row) for row in rows(path, _COLUMNS) if row[5] > 0)


def read_graph(path: Path) -> dict[str, set[str]]:
    """Callees by caller from graph.csv; empty when there is none."""
    callees: dict[str, set[str]] = defaultdict(set)
    if path.exists():
        try:
            with path.open(newline="") as file:
                for row in csv.DictReader(file):
                    callees[row["source"]].add(row["destination"])
        except (OSError, KeyError, UnicodeDecodeError) as error:
            raise CaseRefused(f"{path}: {error}; it is to have the columns source and destination") from None
    return callees


def _row(
    time: float,
    source: str,
    destination: str,
    reporter: str,
    instance: str,
    requests: float,
    error_rate: float | None,
    mean: float | None,
    *levels: float | None,
) -> EdgeRow:
    """Latency in seconds."""
    known = {name: level * 1000 for name, level in zip(LEVELS, levels, strict=True) if level is not None}
    by = reporter.lower()
    return EdgeRow(
        time,
        source,
        destination,
        bool(source) and (by in _BY_CALLER or by == source.lower()),
        instance,
        requests,
        None if error_rate is None else max(0.0, error_rate),
        mean_of(known) if mean is None else mean * 1000,
        quantiles_of(known),
    )
