"""Adds single requests and calls up into the rows of a window."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from rootcause.load.spans import Span
from rootcause.load.window import Bucket, Called, Quantiles, Served


class ServedKey(NamedTuple):
    service: str
    version: str
    instance: str
    route: str
    entry: bool


class EdgeKey(NamedTuple):
    source: str
    destination: str
    source_instance: str
    destination_version: str
    destination_instance: str


@dataclass(slots=True)
class _Sums:
    calls: int = 0
    errors: int = 0
    total_ms: float = 0.0
    own_errors: int = 0
    own_ms: float = 0.0


@dataclass(slots=True)
class _Row:
    """One row in the making; durations are kept to take quantiles of."""

    buckets: dict[float, _Sums] = field(default_factory=dict)
    durations: list[float] = field(default_factory=list)
    own: list[float] = field(default_factory=list)
    slowest: tuple[float, str] = (-1.0, "")
    error_trace: str = ""

    def add(self, span: Span, step_s: float, *, failed: bool) -> _Sums:
        start = span.start_ns / 1e9 // step_s * step_s
        sums = self.buckets.setdefault(start, _Sums())
        duration_ms = span.duration_ns / 1e6
        sums.calls += 1
        sums.errors += failed
        sums.total_ms += duration_ms
        self.durations.append(duration_ms)
        self.slowest = max(self.slowest, (duration_ms, span.trace))
        if failed:
            self.error_trace = span.trace
        return sums

    def series(self, *, own: bool) -> tuple[Bucket, ...]:
        return tuple(
            Bucket(start, s.calls, s.errors, s.total_ms, s.own_errors, s.own_ms, s.calls if own else 0)
            for start, s in sorted(self.buckets.items())
        )


class Requests:
    """Rows of requests received."""

    def __init__(self, step_s: float) -> None:
        self._step_s = step_s
        self._rows: dict[ServedKey, _Row] = {}

    def add(self, key: ServedKey, span: Span, own_ms: float, own_error: bool) -> None:
        row = self._rows.setdefault(key, _Row())
        sums = row.add(span, self._step_s, failed=span.failed)
        sums.own_ms += own_ms
        sums.own_errors += own_error
        row.own.append(own_ms)
        if own_error:
            row.error_trace = span.trace

    def rows(self) -> tuple[Served, ...]:
        return tuple(
            Served(
                *key,
                row.series(own=True),
                quantiles(row.durations),
                quantiles(row.own),
                slow_trace=row.slowest[1],
                error_trace=row.error_trace,
            )
            for key, row in self._rows.items()
        )


class Edges:
    """Rows of calls, as each end measured them."""

    def __init__(self, step_s: float) -> None:
        self._step_s = step_s
        self._rows: dict[tuple[bool, EdgeKey], _Row] = {}

    def add(self, by_source: bool, key: EdgeKey, span: Span, failed: bool) -> None:
        self._rows.setdefault((by_source, key), _Row()).add(span, self._step_s, failed=failed)

    def rows(self) -> tuple[Called, ...]:
        return tuple(
            Called(
                by_source,
                *key,
                row.series(own=False),
                quantiles(row.durations),
                slow_trace=row.slowest[1],
                error_trace=row.error_trace,
            )
            for (by_source, key), row in self._rows.items()
        )


def quantiles(values: Sequence[float]) -> Quantiles | None:
    """p50, p90, p95, p99 of the values (nearest rank), None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    last = len(ordered) - 1
    return Quantiles(*(ordered[min(last, int(q * len(ordered)))] for q in (0.5, 0.9, 0.95, 0.99)))
