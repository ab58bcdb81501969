"""Simulated traffic as the engine's windows, from whichever telemetry there is.

In: spans, gauges. Out: windows made by the same code that reads a recording: of spans, of series of edges, or of spans
with gauges and changes beside them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from rootcause.load.callees import Callees, callees_of
from rootcause.load.edge_rows import EdgeRow
from rootcause.load.from_edges import entry_nodes, window_of_edges
from rootcause.load.from_spans import window_of
from rootcause.load.spans import Kind, Span
from rootcause.load.tally import quantiles
from rootcause.load.window import STEP_S, Interval, Usage, Window
from tests.rootcause.proving.system import System
from tests.rootcause.proving.traffic import Traffic
from tests.rootcause.proving.trials import Gauge

View = Literal["spans", "edges", "both"]
VIEWS: tuple[View, ...] = ("spans", "edges", "both")
"""`both` has gauges and changes, too."""
SAMPLES = 8


class Normal:
    """What is remembered of normal time."""

    def __init__(self, system: System, traffic: Traffic, interval: Interval) -> None:
        spans = traffic.spans
        self.callees: Callees = callees_of(spans)
        self.spans = window_of(spans, [interval], callees=self.callees)
        self.rows = edge_rows(spans, traffic.callees)
        self.both = replace(self.spans, usage=_usage(system, ()))
        self.interval = interval


def windows(
    system: System, view: View, normal: Normal, spans: Window, rows: list[EdgeRow], gauges: Iterable[Gauge]
) -> tuple[Window, Window]:
    """Normal time and the time in question."""
    if view == "spans":
        return normal.spans, spans
    if view == "both":
        return normal.both, replace(spans, usage=_usage(system, gauges))
    entries = entry_nodes([*normal.rows, *rows], {})
    usual = window_of_edges(normal.rows, {}, entries, (normal.interval,))
    return usual, window_of_edges(rows, {}, entries, spans.intervals)


def edge_rows(spans: Sequence[Span], callees: Mapping[str, str]) -> list[EdgeRow]:
    """Series of every edge as both of its ends tell them, in steps of ten seconds."""
    by_id = {span.id: span for span in spans}
    found: dict[tuple[float, str, str, bool], list[Span]] = defaultdict(list)
    for span in spans:
        start = span.start_ns / 1e9 // STEP_S * STEP_S
        if span.kind is Kind.CLIENT:
            found[start, span.service, callees[span.id], True].append(span)
        else:
            caller = by_id.get(span.parent)
            found[start, caller.service if caller is not None else "users", span.service, caller is None].append(span)
    return [_row(*key, group) for key, group in found.items()]


def _row(start: float, source: str, destination: str, by_source: bool, spans: Sequence[Span]) -> EdgeRow:
    ms = [span.duration_ns / 1e6 for span in spans]
    failed = sum(span.failed for span in spans) / len(spans)
    return EdgeRow(start, source, destination, by_source, "", len(ms), failed, sum(ms) / len(ms), quantiles(ms))


def _usage(system: System, gauges: Iterable[Gauge]) -> tuple[Usage, ...]:
    """Processor and memory of every instance, some of them as the gauges tell."""
    full = {(gauge.service, gauge.resource): gauge.share for gauge in gauges}
    rows = []
    for service in system.services.values():
        for instance in service.instances:
            for resource, usual in (("cpu", service.busy), ("memory", 0.4)):
                most = full.get((service.name, resource), usual)
                shares = tuple(usual + (most - usual) * (at + 1) / SAMPLES for at in range(SAMPLES))
                rows.append(Usage(service.name, instance.name, resource, shares))
    return tuple(rows)
