"""Reads single requests of one service around the beginning of its trouble, as good or bad ones.

In: an open Reader, the service, what is wrong with it, a stretch of time. Out: moments, for the onset. Never: spans of
other services than those that recorded these requests; the time alone would not keep from reading them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from collector.store.client import Reader
from rootcause.load.moments import FEWEST, NEARLY_ALL, Moment
from rootcause.load.window import Interval

MOST = 20_000
"""The latest of them: of a busy service a few seconds tell."""
_REQUESTS = f"""
SELECT toUnixTimestamp64Micro(toDateTime64(Timestamp, 6)) / 1e6, StatusCode = 'Error',
    if(SpanKind = 'Server' AND SpanAttributes['mesh.time.own_us'] != '',
        toFloat64OrZero(SpanAttributes['mesh.time.own_us']), Duration / 1e3)
FROM otel.otel_traces
WHERE ServiceName IN %(recorders)s AND Timestamp >= %(start)s AND Timestamp < %(end)s AND SpanKind = %(kind)s
    AND SpanAttributes['mesh.destination.service'] = %(service)s
    AND (%(instance)s = '' OR SpanAttributes['mesh.destination.instance'] = %(instance)s)
ORDER BY Timestamp DESC LIMIT {MOST}
"""


def read_moments(
    reader: Reader,
    service: str,
    instance: str,
    interval: Interval,
    usual_until: float,
    *,
    by_errors: bool,
    callers: Sequence[str],
) -> list[Moment]:
    """Requests of the service, or of the one instance that is named, as `callers` saw them when links from these are
    at fault. What takes longer than nearly all of those before `usual_until` is bad. Raises StoreUnavailable,
    QueryFailed."""
    params = {
        "recorders": sorted(set(callers)) or [service],
        "start": datetime.fromtimestamp(interval.start, UTC),
        "end": datetime.fromtimestamp(interval.end, UTC),
        "kind": "Client" if callers else "Server",
        "service": service,
        "instance": instance,
    }
    rows = reader.table(_REQUESTS, params).rows
    if by_errors:
        return [Moment(at, bool(failed)) for at, failed, _ in rows]
    usual = sorted(took for at, _, took in rows if at < usual_until)
    if len(usual) < FEWEST:
        return []
    limit = usual[int(NEARLY_ALL * (len(usual) - 1))]
    return [Moment(at, took > limit) for at, _, took in rows]
