"""Tail sampling as figures: what waits, and what was decided, by why."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge

_SPANS = ("kept", "sampled", "left_out")


class Figures:
    """Counters of decisions, gauges of what waits for one."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._traces = Counter(
            "whymesh_collector_tail_traces", "Traces decided, by why they stay.", ("decision",), registry=registry
        )
        self._spans = Counter(
            "whymesh_collector_tail_spans", "Spans by what became of them.", ("decision",), registry=registry
        )
        self._early = Counter(
            "whymesh_collector_tail_early_traces", "Traces decided before their time, for room.", registry=registry
        )
        self._late = Counter(
            "whymesh_collector_tail_late_spans", "Spans that came after their trace was decided.", registry=registry
        )
        names = ("requests", "spans", "traces", "bytes")
        self._waiting = [
            Gauge(f"whymesh_collector_tail_waiting_{name}", f"{name.capitalize()} that wait.", registry=registry)
            for name in names
        ]

    def show(self, tally: Mapping[str, int], waiting: tuple[int, int, int, int]) -> None:
        """`tally` is what was decided since the last time."""
        counts = dict(tally)
        self._early.inc(counts.pop("early"))
        self._late.inc(counts.pop("late_spans"))
        for name in _SPANS:
            self._spans.labels(name).inc(counts.pop(f"{name}_spans"))
        for decision, count in counts.items():
            self._traces.labels(decision).inc(count)
        for gauge, value in zip(self._waiting, waiting, strict=True):
            gauge.set(value)
