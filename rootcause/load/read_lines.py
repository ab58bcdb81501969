"""Reads the log lines that were written in some requests, by the ids of their traces.

In: an open Reader, a stretch of time, trace ids. Out: lines, each different one of a span once, with how often it was
written; figures do not make lines different. Never: more than `most` of them, or than MOST_TEXT of a body, however
much a service writes; what is written for those who look for bugs (DEBUG, TRACE), for that is turned on and off.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime

from collector.store.client import Reader
from rootcause.load.first_told import INSTANCE
from rootcause.load.log_patterns import Log
from rootcause.load.window import Interval

MOST_LINES = 10_000
MOST_TEXT = 1_000
"""Characters of a line that are looked at: a structured one has its message among the first of them."""
SECONDS = 3
"""What the store may take over it."""
_LINES = f"""
SELECT TraceId, SpanId, ServiceName, SeverityText, any(substringUTF8(Body, 1, {MOST_TEXT})) AS Said, count() AS Times,
    toUnixTimestamp64Nano(max(Timestamp)) AS Last
FROM otel.otel_logs
WHERE TimestampTime >= %(start)s AND TimestampTime < %(end)s AND TraceId IN %(traces)s
    AND NOT (SeverityNumber BETWEEN 1 AND 8) AND upper(SeverityText) NOT IN ('DEBUG', 'TRACE')
GROUP BY TraceId, SpanId, ServiceName, SeverityText,
    sipHash64(replaceRegexpAll(substringUTF8(Body, 1, {MOST_TEXT}), '[0-9]+', '0'))
ORDER BY Last, TraceId, SpanId, Said
LIMIT %(most)s
SETTINGS max_execution_time = {SECONDS}
"""
_SERVED_BY = f"""
SELECT SpanId, {INSTANCE} FROM otel.otel_traces
WHERE ServiceName IN %(services)s AND Timestamp >= %(start)s AND Timestamp < %(end)s AND TraceId IN %(traces)s
SETTINGS max_execution_time = {SECONDS}
"""


@dataclass(frozen=True, slots=True)
class TracedLine:
    """A line and the trace it is of; its span may be unknown."""

    trace: str
    log: Log


def read_lines(
    reader: Reader, interval: Interval, traces: Sequence[str], most: int = MOST_LINES
) -> list[TracedLine] | None:
    """Lines of these traces in this time, in its order; None when there are as many as `most`, for a request whose
    lines are not all known seems to have stopped writing the others. Raises StoreUnavailable, QueryFailed."""
    if not traces:
        return []
    params = {
        "start": datetime.fromtimestamp(interval.start, UTC),
        "end": datetime.fromtimestamp(interval.end, UTC),
        "traces": tuple(traces),
        "most": most,
    }
    rows = reader.table(_LINES, params).rows
    if len(rows) >= most:
        return None
    return [
        TracedLine(trace, Log(last / 1e9, service, severity, span, said, times))
        for trace, span, service, severity, said, times, last in rows
    ]


def read_instances(reader: Reader, interval: Interval, services: Set[str], traces: Sequence[str]) -> dict[str, str]:
    """By span id, which instance served it: spans of these services and traces. Raises StoreUnavailable,
    QueryFailed."""
    params = {
        "start": datetime.fromtimestamp(interval.start, UTC),
        "end": datetime.fromtimestamp(interval.end, UTC),
        "services": tuple(sorted(services)),
        "traces": tuple(traces),
    }
    return dict(reader.table(_SERVED_BY, params).rows)
