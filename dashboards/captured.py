"""How much of the traffic the store has: what proxies counted, against the spans that came of it.

In: rows of `reads.captured`. Out: shares of edges and of all, and sentences for them. Never: more than all of it, or
anything said of edges that nobody counted.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True)
class Captured:
    """By source and target: requests counted, those of them that had a span, and those whose span was not stored.

    Tail sampling leaves spans out after it has counted them (docs/collector.md).
    """

    edges: Mapping[tuple[str, str], tuple[int, int, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]]) -> Self:
        """A request may be counted in one interval and stored in the one before: a share is one at most."""
        return cls(
            {
                (row["source"], row["target"]): _bounded(row["counted"], row["captured"], row["unkept"])
                for row in rows
                if row["counted"]
            }
        )

    @property
    def share(self) -> float | None:
        """Of all edges; None when nothing was counted."""
        counted, captured, _ = self._all()
        return captured / counted if counted else None

    def sentence(self) -> str:
        """How complete a picture of all edges is."""
        if self.share is None:
            return "Captured: not known, for no proxy told how many requests it counted."
        _, captured, unkept = self._all()
        return f"Captured: {percent(self.share)} of the requests that proxies counted.{_stored(captured, unkept)}"

    def sentence_of(self, source: str, target: str) -> str:
        """The same of one edge; empty when it was not counted."""
        counted, captured, unkept = self.edges.get((source, target), (0, 0, 0))
        if not counted:
            return ""
        return f"Captured: {percent(captured / counted)} of {counted:,} requests counted.{_stored(captured, unkept)}"

    def _all(self) -> tuple[int, int, int]:
        counted, captured, unkept = map(sum, zip((0, 0, 0), *self.edges.values(), strict=True))
        return counted, captured, unkept


def _bounded(counted: int, captured: int, unkept: int) -> tuple[int, int, int]:
    captured = min(captured, counted)
    return counted, captured, min(unkept, captured)


def _stored(captured: int, unkept: int) -> str:
    return f" Spans of {captured - unkept:,} of {captured:,} are stored, all are counted." if unkept else ""


def percent(share: float) -> str:
    """Two digits after the point, and 100 only for all of it."""
    return "100 %" if share == 1 else f"{math.floor(share * 10_000) / 100:.2f} %"
