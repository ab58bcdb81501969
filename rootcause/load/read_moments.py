"""Reads single requests of one service around the beginning of its trouble, as good or bad ones.

In: an open Reader, which requests. Out: moments, for the onset and for what the bad ones have in common. Never: spans
of other services than those that recorded these requests; the time alone would not keep from reading them.
"""

from __future__ import annotations

from collector.store.client import Reader
from rootcause.load.asked import Asked
from rootcause.load.moments import Moment, Request, judged

MOST = 20_000
"""The latest of them."""
TOOK_MS = """if(SpanKind = 'Server' AND SpanAttributes['mesh.time.own_us'] != '',
        toFloat64OrZero(SpanAttributes['mesh.time.own_us']) / 1e3, Duration / 1e6)"""
"""The time of a request that is in question: its service's own, or what its caller waited."""
_REQUESTS = f"""
SELECT toUnixTimestamp64Micro(toDateTime64(Timestamp, 6)) / 1e6, StatusCode = 'Error', {TOOK_MS}, SpanName, TraceId,
    SpanId
FROM otel.otel_traces WHERE {{condition}}
ORDER BY Timestamp DESC LIMIT {MOST}
"""


def read_moments(reader: Reader, asked: Asked, usual_until: float, *, by_errors: bool) -> list[Moment]:
    """What takes longer than nearly all requests by its name before `usual_until` is bad, or else what fails. Raises
    StoreUnavailable, QueryFailed."""
    rows = reader.table(_REQUESTS.format(condition=asked.condition)).rows
    requests = [Request(at, bool(failed), took, name, trace, span) for at, failed, took, name, trace, span in rows]
    return judged(requests, (one for one in requests if one.at < usual_until), by_errors=by_errors)
