"""Engine counters as Prometheus metrics.

In: `Engine.stats()`, read at scrape time. Out: exact counters and histograms, label sets as bounded as the engine's.
"""

from __future__ import annotations

from typing import Any

from proxy.exposition import Page

_REQUEST_LABELS = ("direction", "peer", "status", "reason")


def render(stats: dict[str, Any] | None) -> str:
    """One scrape; empty while there is no engine yet."""
    page = Page()
    if stats is None:
        return ""
    page.gauge("whymesh_proxy_epoch", "Configuration epoch in force.", stats["epoch"])
    _requests(page, stats)
    page.gauges("whymesh_proxy_connections", "Open connections.", "side", stats["connections"])
    records = stats["records"]
    for what in ("recorded", "recovered", "exported"):
        page.counter(f"whymesh_proxy_spans_{what}", f"Spans {what}.", records[what])
    page.gauge("whymesh_proxy_spans_pending", "Spans waiting to be exported.", records["pending"])
    page.counters("whymesh_proxy_spans_dropped", "Spans that could not be exported.", "cause", records["dropped"])
    _export(page, stats["export"])
    page.counters(
        "whymesh_proxy_refused",
        "Connections and requests turned away by a check or a limit.",
        "reason",
        stats["refused"],
    )
    page.counter("whymesh_proxy_panics", "Defects of the proxy; each ended one request or task.", stats["panics"])
    return page.text()


def _export(page: Page, export: dict[str, Any]) -> None:
    """How the export of spans stands."""
    page.gauge("whymesh_proxy_export_away", "1 while the collector takes nothing.", export["away"])
    page.gauge("whymesh_proxy_export_kept_share", "Share of ordinary traces sent.", export["kept_share"])
    for key, help_text in (
        ("batches", "Batches sent, each attempt counted."),
        ("retries", "Batches that had to be sent again."),
        ("encoded_bytes", "Bytes of spans before compression."),
        ("sent_bytes", "Bytes of spans sent, each attempt counted."),
    ):
        page.counter(f"whymesh_proxy_export_{key}", help_text, export[key])
    spool = export["spool"]
    page.gauge("whymesh_proxy_spool_usable", "0 when the spool cannot be written.", not spool["problem"])
    page.gauge("whymesh_proxy_spool_records", "Spans on disk, a part of those pending.", spool["records"])
    page.gauge("whymesh_proxy_spool_bytes", "Bytes on disk.", spool["bytes"])
    page.gauge("whymesh_proxy_spool_peak_bytes", "Most bytes on disk since start.", spool["peak_bytes"])
    page.counter("whymesh_proxy_spool_torn", "Spool files found with an incomplete last batch.", spool["torn"])


def _requests(page: Page, stats: dict[str, Any]) -> None:
    page.histogram(
        "whymesh_proxy_request_duration_seconds",
        "Every request, by peer and outcome.",
        [us / 1e6 for us in stats["bucket_bounds_us"]],
        [
            ({label: series[label] for label in _REQUEST_LABELS}, series["buckets"], series["sum_us"] / 1e6)
            for series in stats["requests"]
        ],
    )
