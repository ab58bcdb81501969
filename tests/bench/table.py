"""Measurements as one table; ratios are against the first row, ours."""

from __future__ import annotations

from tests.bench.measure import Measurement

_HEAD = (
    "proxy",
    "CPU µs/req",
    "ratio",
    "req/s",
    "ratio",
    "RSS MB",
    "ratio",
    "RSS idle MB",
    "p50 ms",
    "p99 ms",
    "spans/req",
)


def render(measurements: list[Measurement]) -> str:
    """A Markdown table."""
    ours = measurements[0]
    rows = [_HEAD, *(_row(m, ours) for m in measurements)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEAD))]
    lines = [
        "| " + " | ".join(_padded(cell, w, i) for i, (cell, w) in enumerate(zip(row, widths, strict=True))) + " |"
        for row in rows
    ]
    rule = "|" + "|".join("-" * (w + 1) + (":" if i else "-") for i, w in enumerate(widths)) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def _padded(cell: str, width: int, column: int) -> str:
    return cell.rjust(width) if column else cell.ljust(width)


def _row(m: Measurement, ours: Measurement) -> tuple[str, ...]:
    return (
        m.name,
        f"{m.cpu_us:.1f}",
        f"{m.cpu_us / ours.cpu_us:.2f}x",
        f"{m.requests_per_s:,.0f}",
        f"{m.requests_per_s / ours.requests_per_s:.2f}x",
        f"{m.rss_mb:.0f}",
        f"{m.rss_mb / ours.rss_mb:.2f}x",
        f"{m.idle_rss_mb:.0f}",
        f"{m.p50_us / 1e3:.2f}",
        f"{m.p99_us / 1e3:.2f}",
        "-" if m.spans_share is None else f"{m.spans_share:.3f}",
    )
