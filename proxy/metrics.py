"""Engine counters as Prometheus metrics.

In: `Engine.stats()`, read at scrape time. Out: exact counters and histograms, label sets as bounded as the engine's.
"""

from __future__ import annotations

from typing import Any

from proxy import standings
from proxy.exposition import Page

_COUNTER_LABELS = ("service", "instance", "direction", "peer", "version", "route", "status", "reason")
_HISTOGRAM_LABELS = ("service", "instance", "direction", "peer", "route", "status")
"""A histogram is twenty lines of a scrape: it is not split by version and reason, which the counter is."""
_TUNNEL_LABELS = ("service", "instance", "direction", "peer", "protocol")


def render(stats: dict[str, Any] | None) -> str:
    """One scrape; empty while there is no engine yet."""
    page = Page()
    if stats is None:
        return ""
    page.gauge("whymesh_proxy_epoch", "Configuration epoch in force.", stats["epoch"])
    _requests(page, stats["requests"])
    _durations(page, stats)
    page.counter(
        "whymesh_proxy_requests_folded",
        "Requests counted as {other}, for want of room for more series.",
        stats["requests_folded"],
    )
    page.gauges("whymesh_proxy_connections", "Open connections.", "side", stats["connections"])
    _tunnels(page, stats["tunnels"])
    standings.render(page, stats["services"])
    records = stats["records"]
    for what in ("recorded", "recovered", "exported"):
        page.counter(f"whymesh_proxy_spans_{what}", f"Spans {what}.", records[what])
    page.gauge("whymesh_proxy_spans_held", "Spans kept back in mode recorder.", records["held"])
    page.counter("whymesh_proxy_spans_forgotten", "Spans kept back that nobody asked for.", records["forgotten"])
    recorder = stats["recorder"]
    page.counter("whymesh_proxy_traces_flagged", "Traces flagged here.", recorder["flagged"])
    page.counter("whymesh_proxy_traces_untold", "Traces flagged here that others were not told of.", recorder["untold"])
    _access_log(page, stats["access_log"])
    page.gauge("whymesh_proxy_spans_pending", "Spans waiting to be exported.", records["pending"])
    page.counters("whymesh_proxy_spans_dropped", "Spans that could not be exported.", "cause", records["dropped"])
    _export(page, stats["export"])
    page.counters(
        "whymesh_proxy_refused",
        "Connections and requests turned away by a check or a limit.",
        "reason",
        stats["refused"],
    )
    _policies(page, stats["policies"])
    _doors(page, stats["doors"])
    page.counter("whymesh_proxy_panics", "Defects of the proxy; each ended one request or task.", stats["panics"])
    return page.text()


def _policies(page: Page, policies: list[dict[str, Any]]) -> None:
    """How the policies in force stand."""
    page.gauges_by(
        "whymesh_proxy_policy",
        "How policies in force stand.",
        (
            ({**{key: one[key] for key in ("service", "policy", "name")}, "value": name}, value)
            for one in policies
            for name, value in one["values"].items()
        ),
    )


def _doors(page: Page, doors: list[dict[str, Any]]) -> None:
    """Certificates that clients outside the mesh are shown."""
    labelled = [({key: one[key] for key in ("listen", "host")}, one) for one in doors]
    page.gauges_by(
        "whymesh_proxy_door_certificate_end_seconds",
        "When a certificate that a gateway shows ends, in seconds since 1970; 0 while there is none to show.",
        [(labels, one["ends"] or 0) for labels, one in labelled],
    )
    page.gauges_by(
        "whymesh_proxy_door_certificate_problems",
        "What is wrong, or soon will be, with a certificate that a gateway shows.",
        [(labels, len(one["problems"])) for labels, one in labelled],
    )


def _tunnels(page: Page, tunnels: list[dict[str, Any]]) -> None:
    """Connections that are not HTTP."""
    series = [({label: one[label] for label in _TUNNEL_LABELS}, one) for one in tunnels]
    page.counters_by("whymesh_proxy_tunnels_opened", "Tunnels.", [(labels, one["opened"]) for labels, one in series])
    ended = [({**labels, "reason": reason}, n) for labels, one in series for reason, n in one["ended"].items()]
    page.counters_by("whymesh_proxy_tunnels_ended", "Tunnels that have ended, by reason.", ended)
    senders = (("caller", "sent_bytes"), ("callee", "received_bytes"))
    carried = [({**labels, "sender": sender}, one[key]) for labels, one in series for sender, key in senders]
    page.counters_by("whymesh_proxy_tunnel_bytes", "Bytes passed on, by who sent them.", carried)


def _access_log(page: Page, log: dict[str, Any]) -> None:
    """What became of the lines and the log records of requests."""
    page.counter("whymesh_proxy_access_log_lines", "Lines of the access log written.", log["written"])
    page.counter("whymesh_proxy_access_log_dropped", "Lines of the access log that could not be.", log["dropped"])
    otlp = log["otlp"]
    page.counter("whymesh_proxy_log_records_recorded", "Log records made.", otlp["recorded"])
    page.counter("whymesh_proxy_log_records_exported", "Log records exported.", otlp["exported"])
    page.gauge("whymesh_proxy_log_records_pending", "Log records waiting to be exported.", otlp["pending"])
    page.counters(
        "whymesh_proxy_log_records_dropped", "Log records that could not be exported.", "cause", otlp["dropped"]
    )


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


def _requests(page: Page, requests: list[dict[str, Any]]) -> None:
    series = [({label: one[label] for label in _COUNTER_LABELS}, one["count"]) for one in requests]
    page.counters_by("whymesh_proxy_requests", "Every request, by all that is counted.", series)


def _durations(page: Page, stats: dict[str, Any]) -> None:
    sums: dict[tuple[str, ...], tuple[list[int], int]] = {}
    for one in stats["requests"]:
        key = tuple(one[label] for label in _HISTOGRAM_LABELS)
        buckets, sum_us = sums.get(key, ([0] * len(one["buckets"]), 0))
        sums[key] = ([a + b for a, b in zip(buckets, one["buckets"], strict=True)], sum_us + one["sum_us"])
    page.histogram(
        "whymesh_proxy_request_duration_seconds",
        "Every request, by peer, route and status.",
        [us / 1e6 for us in stats["bucket_bounds_us"]],
        [
            (dict(zip(_HISTOGRAM_LABELS, key, strict=True)), buckets, sum_us / 1e6)
            for key, (buckets, sum_us) in sums.items()
        ],
    )
