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
        for what in ("recorded", "recovered", "exported"):
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
        yield from _export(stats["export"])
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


def _export(export: dict[str, Any]) -> Iterator[Metric]:
    """How the export of spans stands."""
    yield _gauge("whymesh_proxy_export_away", "1 while the collector takes nothing.", export["away"])
    yield _gauge("whymesh_proxy_export_kept_share", "Share of ordinary traces sent.", export["kept_share"])
    for key, help_text in (
        ("batches", "Batches sent, each attempt counted."),
        ("retries", "Batches that had to be sent again."),
        ("encoded_bytes", "Bytes of spans before compression."),
        ("sent_bytes", "Bytes of spans sent, each attempt counted."),
    ):
        counter = CounterMetricFamily(f"whymesh_proxy_export_{key}", help_text)
        counter.add_metric([], export[key])
        yield counter
    spool = export["spool"]
    yield _gauge("whymesh_proxy_spool_usable", "0 when the spool cannot be written.", not spool["problem"])
    yield _gauge("whymesh_proxy_spool_records", "Spans on disk, a part of those pending.", spool["records"])
    yield _gauge("whymesh_proxy_spool_bytes", "Bytes on disk.", spool["bytes"])
    yield _gauge("whymesh_proxy_spool_peak_bytes", "Most bytes on disk since start.", spool["peak_bytes"])
    torn = CounterMetricFamily("whymesh_proxy_spool_torn", "Spool files found with an incomplete last batch.")
    torn.add_metric([], spool["torn"])
    yield torn


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
