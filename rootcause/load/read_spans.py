"""Reads raw spans from the store: of a stretch of time that the mesh did not record itself, or of one trace."""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from collector.store.client import Reader
from rootcause.load.first_told import INSTANCE, PEER, first_told
from rootcause.load.spans import (
    END_ATTRIBUTES,
    EXCEPTION_TYPE,
    GRPC_CODE_ATTRIBUTES,
    HTTP_CODE_ATTRIBUTES,
    Kind,
    Span,
    failed,
)
from rootcause.load.traced import TracedSpan
from rootcause.load.window import Interval

KINDS = {"Server": Kind.SERVER, "Consumer": Kind.SERVER, "Client": Kind.CLIENT, "Producer": Kind.CLIENT}
EVENTS = f"arrayMap((name, more) -> trimRight(name || ' ' || more['{EXCEPTION_TYPE}']), Events.Name, Events.Attributes)"
_ENDS = ", ".join(f"SpanAttributes['{name}']" for name in END_ATTRIBUTES)
_SPAN = f"""TraceId, SpanId, ParentSpanId, ServiceName,
    ResourceAttributes['service.version'], {INSTANCE},
    SpanName, SpanKind, toUnixTimestamp64Nano(Timestamp), Duration,
    StatusCode, [{_ENDS}], {PEER}, {EVENTS}"""
_SPANS = f"""
SELECT {_SPAN}
FROM otel.otel_traces WHERE Timestamp >= %(start)s AND Timestamp < %(end)s
"""
_STATUS = first_told("SpanAttributes", (*GRPC_CODE_ATTRIBUTES, *HTTP_CODE_ATTRIBUTES))
MOST_OF_A_TRACE = 10_000
# The end is a DateTime64 like what it is compared with: of "before 12:00:01" as a DateTime, ClickHouse 26.9 makes
# "up to 12:00:00" when it chooses parts, and leaves out those of the last second.
_TRACE = f"""
WITH (SELECT (min(Start), toDateTime64(max(End) + 1, 9)) FROM otel.otel_traces_trace_id_ts
    WHERE TraceId = %(trace)s) AS times
SELECT {_SPAN}, {_STATUS}, SpanAttributes['mesh.reason'],
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
    trace, span, parent, service, version, instance, name, kind, start, duration, status, ends, peer, events = row
    kind, bad = KINDS.get(kind, Kind.INTERNAL), failed(status, dict(zip(END_ATTRIBUTES, ends, strict=True)))
    return Span(trace, span, parent, service, version, instance, name, kind, start, duration, bad, peer, tuple(events))
