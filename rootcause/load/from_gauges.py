"""Reads how full instances were from the gauges of OpenTelemetry's instrumentations and Kubernetes receivers.

In: an open Reader and intervals. Out: shares of processor and memory by instance, for a Window.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from collector.store.client import Reader
from rootcause.load.first_told import INSTANCE
from rootcause.load.usage import Sample, used
from rootcause.load.window import Interval, Usage

GAUGES = {
    "k8s.pod.cpu_limit_utilization": "cpu",
    "k8s.container.cpu_limit_utilization": "cpu",
    "process.cpu.utilization": "cpu",
    "jvm.cpu.recent_utilization": "cpu",
    "k8s.pod.memory_limit_utilization": "memory",
    "k8s.container.memory_limit_utilization": "memory",
}
"""Gauges that are a share (0..1) of what the instance may use."""

_USAGE = f"""
SELECT ServiceName, {INSTANCE} AS Instance,
    MetricName, toUnixTimestamp64Milli(TimeUnix) / 1000 AS At, sum(Value) AS Share
FROM otel.otel_metrics_gauge WHERE MetricName IN %(gauges)s AND ({{where}})
GROUP BY ServiceName, Instance, MetricName, At
"""
"""Summed, for a processor's share comes apart by mode (user, system)."""


def load_usage(reader: Reader, intervals: Sequence[Interval]) -> tuple[Usage, ...]:
    """What was in use in the intervals. Raises StoreUnavailable, QueryFailed."""
    if not intervals:
        return ()
    parts, params = [], dict[str, Any](gauges=tuple(GAUGES))
    for index, interval in enumerate(intervals):
        parts.append(f"(TimeUnix >= %(start{index})s AND TimeUnix < %(end{index})s)")
        params[f"start{index}"] = datetime.fromtimestamp(interval.start, UTC)
        params[f"end{index}"] = datetime.fromtimestamp(interval.end, UTC)
    rows = reader.rows(_USAGE.format(where=" OR ".join(parts)), params)
    samples = [
        Sample(row["At"], row["ServiceName"], row["Instance"], GAUGES[row["MetricName"]], row["Share"]) for row in rows
    ]
    return used(samples, intervals)
