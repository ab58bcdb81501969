"""Reads raw spans from the store: of a stretch of time that the mesh did not record itself, or of one trace."""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from collector.store.client import Reader
from rootcause.load.spans import EXCEPTION_TYPE, GRPC_CODE_ATTRIBUTES, PEER_ATTRIBUTES, REFUSALS, Kind, Span
from rootcause.load.traced import TracedSpan
from rootcause.load.window import Interval

KINDS = {"Server": Kind.SERVER, "Consumer": Kind.SERVER, "Client": Kind.CLIENT, "Producer": Kind.CLIENT}
PEER = ", ".join(f"nullIf(SpanAttributes['{name}'], '')" for name in PEER_ATTRIBUTES)
EVENTS = f"arrayMap((name, more) -> trimRight(name || ' ' || more['{EXCEPTION_TYPE}']), Events.Name, Events.Attributes)"
_CODES = ", ".join(f"SpanAttributes['{name}']" for name in GRPC_CODE_ATTRIBUTES)
_REFUSALS = ", ".join(f"'{code}'" for code in REFUSALS)
_SPAN = f"""TraceId, SpanId, ParentSpanId, ServiceName,
    ResourceAttributes['service.version'], ResourceAttributes['service.instance.id'],
    SpanName, SpanKind, toUnixTimestamp64Nano(Timestamp), Duration,
    StatusCode = 'Error' AND NOT startsWith(SpanAttributes['http.response.status_code'], '4')
        AND NOT hasAny([{_CODES}], [{_REFUSALS}]), coalesce({PEER}, ''),
    {EVENTS}"""
_SPANS = f"""
SELECT {_SPAN}
FROM otel.otel_traces WHERE Timestamp >= %(start)s AND Timestamp < %(end)s
"""
_STATUSES = (*GRPC_CODE_ATTRIBUTES, "http.response.status_code")
_STATUS = ", ".join(f"nullIf(SpanAttributes['{name}'], '')" for name in _STATUSES)
MOST_OF_A_TRACE = 10_000
# The end is a DateTime64 like what it is compared with: of "before 12:00:01" as a DateTime, ClickHouse 26.9 makes
# "up to 12:00:00" when it chooses parts, and leaves out those of the last second.
_TRACE = f"""
WITH (SELECT (min(Start), toDateTime64(max(End) + 1, 9)) FROM otel.otel_traces_trace_id_ts
    WHERE TraceId = %(trace)s) AS times
SELECT {_SPAN}, coalesce({_STATUS}, ''), SpanAttributes['mesh.reason'],
    coalesce(nullIf(SpanAttributes['mesh.policy'], ''), SpanAttributes['mesh.limit']),
    SpanAttributes['mesh.policy.missed']
FROM otel.otel_traces
WHERE TraceId = %(trace)s AND Timestamp >= times.1 AND Timestamp < times.2
ORDER BY Timestamp LIMIT {MOST_OF_A_TRACE}
"""


_TRACE_ID = re.compile(r"[0-9a-f]{32}")
_NAMED = """
SELECT TraceId FROM otel.otel_traces
WHERE hasAny(mapValues(SpanAttributes), [%(id)s, %(listed)s]) AND arrayExists(
    (name, value) -> value IN (%(id)s, %(listed)s) AND match(lower(name), '(request|correlation)[-_.]?id$'),
    mapKeys(SpanAttributes), mapValues(SpanAttributes))
ORDER BY Timestamp DESC LIMIT 1
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


def read_trace(reader: Reader, trace: str) -> list[TracedSpan]:
    """The first MOST_OF_A_TRACE spans of a trace, none when nothing of it is stored. Raises StoreUnavailable,
    QueryFailed."""
    rows = reader.table(_TRACE, {"trace": trace}).rows
    return [TracedSpan(_span(row[:-4]), *row[-4:]) for row in rows]


def read_request(reader: Reader, id: str) -> list[TracedSpan]:
    """The trace of this id, else the newest of a request that its caller or an application named so: the value of an
    attribute whose name ends in request or correlation id. None when there is none. Raises StoreUnavailable,
    QueryFailed."""
    trace = read_trace(reader, id.lower()) if _TRACE_ID.fullmatch(id.lower()) else []
    if trace:
        return trace
    named = reader.table(_NAMED, {"id": id, "listed": json.dumps([id])}).rows
    return read_trace(reader, named[0][0]) if named else []


def _span(row: Sequence[Any]) -> Span:
    trace, span, parent, service, version, instance, name, kind, start, duration, failed, peer, events = row
    kind, failed = KINDS.get(kind, Kind.INTERNAL), bool(failed)
    return Span(
        trace, span, parent, service, version, instance, name, kind, start, duration, failed, peer, tuple(events)
    )
