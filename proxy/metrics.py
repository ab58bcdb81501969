"""Engine counters as Prometheus metrics.

In: `Engine.stats()`, read at scrape time. Out: exact counters and histograms, label sets as bounded as the engine's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

_REQUEST_LABELS = ["direction", "peer", "status", "reason"]


class EngineCollector(Collector):
    """Renders one engine's statistics; `stats` returns None while there is no engine yet."""

    def __init__(self, stats: Callable[[], str | None]) -> None:
        self._stats = stats

    def collect(self) -> Iterator[Metric]:
        """One scrape."""
        text = self._stats()
        if text is None:
            return
        stats = json.loads(text)
        yield _gauge("whymesh_proxy_epoch", "Configuration epoch in force.", stats["epoch"])
        yield _requests(stats)
        yield _labelled(
            "whymesh_proxy_connections", "Open connections.", "side", stats["connections"], GaugeMetricFamily
        )
        records = stats["records"]
        for what in ("recorded", "exported"):
            counter = CounterMetricFamily(f"whymesh_proxy_spans_{what}", f"Spans {what}.")
            counter.add_metric([], records[what])
            yield counter
        yield _gauge("whymesh_proxy_spans_pending", "Spans waiting to be exported.", records["pending"])
        yield _labelled(
            "whymesh_proxy_spans_dropped",
            "Spans that could not be exported.",
            "cause",
            records["dropped"],
            CounterMetricFamily,
        )
        yield _labelled(
            "whymesh_proxy_refused",
            "Connections and requests turned away by a check or a limit.",
            "reason",
            stats["refused"],
            CounterMetricFamily,
        )
        panics = CounterMetricFamily("whymesh_proxy_panics", "Defects of the proxy; each ended one request or task.")
        panics.add_metric([], stats["panics"])
        yield panics


def _requests(stats: dict[str, Any]) -> HistogramMetricFamily:
    bounds = [str(us / 1e6) for us in stats["bucket_bounds_us"]] + ["+Inf"]
    family = HistogramMetricFamily(
        "whymesh_proxy_request_duration_seconds",
        "Every request, by peer and outcome.",
        labels=_REQUEST_LABELS,
    )
    for series in stats["requests"]:
        total, buckets = 0, []
        for bound, count in zip(bounds, series["buckets"], strict=True):
            total += count
            buckets.append((bound, float(total)))
        family.add_metric([series[label] for label in _REQUEST_LABELS], buckets, sum_value=series["sum_us"] / 1e6)
    return family


def _gauge(name: str, help_text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, help_text, value=value)


def _labelled(name: str, help_text: str, label: str, values: dict[str, float], kind: type[Any]) -> Metric:
    family: Any = kind(name, help_text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    metric: Metric = family
    return metric
