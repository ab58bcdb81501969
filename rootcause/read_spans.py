"""Reads raw spans of a stretch of time from the store, for windows that the mesh did not record itself."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from collector.store.client import Reader
from rootcause.spans import PEER_ATTRIBUTES, Kind, Span
from rootcause.window import Interval

_KINDS = {"Server": Kind.SERVER, "Consumer": Kind.SERVER, "Client": Kind.CLIENT, "Producer": Kind.CLIENT}
_PEER = ", ".join(f"nullIf(SpanAttributes['{name}'], '')" for name in PEER_ATTRIBUTES)
_SPANS = f"""
SELECT TraceId, SpanId, ParentSpanId, ServiceName,
    ResourceAttributes['service.version'], ResourceAttributes['service.instance.id'],
    SpanName, SpanKind, toUnixTimestamp64Nano(Timestamp), Duration,
    StatusCode = 'Error' AND NOT startsWith(SpanAttributes['http.response.status_code'], '4'), coalesce({_PEER}, '')
FROM otel.otel_traces WHERE Timestamp >= %(start)s AND Timestamp < %(end)s
"""


def read_spans(reader: Reader, intervals: Sequence[Interval]) -> list[Span]:
    """Spans that start inside the intervals. Raises StoreUnavailable, QueryFailed."""
    found = []
    for interval in intervals:
        params = {
            "start": datetime.fromtimestamp(interval.start, UTC),
            "end": datetime.fromtimestamp(interval.end, UTC),
        }
        found += [_span(row) for row in reader.table(_SPANS, params).rows]
    return found


def _span(row: tuple[Any, ...]) -> Span:
    trace, span, parent, service, version, instance, name, kind, start, duration, failed, peer = row
    kind = _KINDS.get(kind, Kind.INTERNAL)
    return Span(trace, span, parent, service, version, instance, name, kind, start, duration, bool(failed), peer)
