"""Series of nodes as a recorder with gaps keeps them.

In: what nodes took. Out: rows of `edges.parquet`, some without a value, some not there; of latency a mean, some
quantiles, or both.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import sin, tau
from pathlib import Path

import pyarrow as arrow
from pyarrow import parquet

from tests.rootcause.proving.nodes import Measure
from tests.rootcause.proving.system import System

DAY_S = 86_400.0
HOUR_S = 3_600.0
MOST_SPANS = 600_000.0
MANY = 50.0
"""Spans a second of a system that is asked often."""
LEVELS = ("p50", "p90", "p95", "p99")
KEPT = (("avg", *LEVELS), ("avg", *LEVELS), ("avg",), ("p50", "p90", "p99"), ("avg", "p90"), ("p50", "p95", "p99"))
_TIME = arrow.timestamp("us", "UTC")
_TEXTS = ("source", "destination", "reporter", "instance")
_NUMBERS = ("requests", "error_rate", *(f"latency_{name}" for name in ("avg", *LEVELS)))
_SCHEMA = arrow.schema(
    [("time", _TIME), *((name, arrow.string()) for name in _TEXTS), *((name, arrow.float64()) for name in _NUMBERS)]
)


@dataclass(frozen=True)
class Recorder:
    """How the series of one system were recorded: rows of `step_s` seconds, so many a case. In normal time, of
    `normal_s` seconds, `scale` times as much was asked as in cases, and in the course of each day `swing` (a share)
    more or less. `missing`: the share of rows that are not there. `edges`: callers tell of their calls, too."""

    step_s: float
    steps: int
    normal_s: float
    scale: float
    swing: float
    missing: float
    kept: tuple[str, ...]
    edges: bool

    @property
    def case_s(self) -> float:
        """How long a case is."""
        return self.steps * self.step_s

    def load(self, at: float) -> float:
        """By the hour."""
        return 1 + self.swing * sin(tau * at / DAY_S)

    def rows(self, measures: Iterable[Measure], start: float, seconds: float, dice: random.Random) -> list[Row]:
        """The series of this time."""
        found: dict[tuple[float, str, str], list[Measure]] = defaultdict(list)
        for one in measures:
            if start <= one.at < start + seconds:
                step = start + (one.at - start) // self.step_s * self.step_s
                if one.whole:
                    found[step, "", one.node].append(one)
                if self.edges and one.source:
                    found[step, one.source, one.node].append(one)
        return [self._row(*key, some, dice) for key, some in found.items() if dice.random() >= self.missing]

    def _row(self, start: float, source: str, node: str, some: Sequence[Measure], dice: random.Random) -> Row:
        ms = sorted(one.ms for one in some)
        known = {"avg": sum(ms) / len(ms)} | {name: ms[int(int(name[1:]) / 100 * len(ms))] for name in LEVELS}
        row: Row = dict.fromkeys(_SCHEMA.names)
        row |= {"time": datetime.fromtimestamp(start, UTC), "destination": node, "requests": float(len(ms))}
        if source:
            row |= {"source": source, "reporter": "source"}
        if dice.random() >= self.missing / 2:
            row["error_rate"] = sum(one.failed for one in some) / len(ms)
        if dice.random() >= self.missing / 2:
            row |= {f"latency_{name}": known[name] / 1000 for name in self.kept}
        return row


Row = dict[str, object]


def recorder(system: System) -> Recorder:
    """Of five minutes mostly, where little is asked; hours to days of normal time."""
    dice = random.Random(f"recorder {system.seed}")
    minutes = dice.random() < 0.2 or system.spans_a_second > MANY
    scale = dice.choice((1.0, 1.0, 0.5, 0.3, 2.0))
    hours = dice.choice((3, 6)) if minutes else dice.choice((12, 24, 48))
    while hours > 3 and hours * HOUR_S * system.spans_a_second * scale > MOST_SPANS:
        hours //= 2
    return Recorder(
        step_s=60.0 if minutes else 300.0,
        steps=dice.choice((10, 15)) if minutes else 5,
        normal_s=hours * HOUR_S,
        scale=scale,
        swing=dice.choice((0.2, 0.4, 0.6)),
        missing=dice.choice((0.0, 0.02, 0.05)),
        kept=dice.choice(KEPT),
        edges=dice.random() < 0.25,
    )


def write_rows(path: Path, rows: list[Row]) -> None:
    """As edges.parquet."""
    parquet.write_table(arrow.Table.from_pylist(rows, _SCHEMA), path)


def summed(measures: Iterable[Measure]) -> Mapping[str, tuple[int, float, int]]:
    """Requests from outside by node: how many, their ms in all, how many failed."""
    found: dict[str, tuple[int, float, int]] = {}
    for one in measures:
        if not one.source:
            many, ms, failed = found.get(one.node, (0, 0.0, 0))
            found[one.node] = many + 1, ms + one.ms, failed + one.failed
    return found
