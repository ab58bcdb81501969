"""Reads from the store who asked whom for what, as the proxies recorded it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from collector.store.client import Reader
from deploy.policies.suggest import Flow

MOST = 20_000
"""Distinct flows that are read, those of most requests first."""
_SAID = "SpanAttributes['{}']".format
_NOT_LET_IN = "('not_allowed', 'policy_denied') OR startsWith(SpanAttributes['mesh.reason'], 'token_')"
_SERVED = f"""
SELECT {_SAID("mesh.source.service")}, ServiceName, ResourceAttributes['service.namespace'],
    {_SAID("http.request.method")}, {_SAID("mesh.route")}, {_SAID("rpc.system.name")} = 'grpc', count()
FROM otel.otel_traces
WHERE ScopeName = 'whymesh.proxy' AND SpanKind = 'Server' AND Timestamp >= %(since)s
    AND NOT ({_SAID("mesh.reason")} IN {_NOT_LET_IN})
GROUP BY ALL ORDER BY count() DESC, 1, 2, 3, 4 LIMIT {MOST}
"""
_ASKED = f"""
SELECT {_SAID("mesh.source.service")}, ServiceName, {_SAID("http.request.method")}, {_SAID("url.path")},
    {_SAID("mesh.reason")} IN ('not_allowed', 'policy_denied'), count(), any(TraceId)
FROM otel.otel_traces
WHERE ScopeName = 'whymesh.proxy' AND SpanKind = 'Server' AND Timestamp >= %(since)s
    AND NOT startsWith({_SAID("mesh.reason")}, 'token_')
GROUP BY ALL ORDER BY count() DESC, 1, 2, 3, 4 LIMIT {MOST}
"""
_SENT = f"""
SELECT ServiceName, {_SAID("server.address")} || ':' || {_SAID("server.port")}, {_SAID("http.request.method")},
    {_SAID("url.path")}, {_SAID("mesh.rule")}, count(), any(TraceId)
FROM otel.otel_traces
WHERE ScopeName = 'whymesh.proxy' AND SpanKind = 'Client' AND Timestamp >= %(since)s
    AND {_SAID("http.request.method")} != '' AND {_SAID("mesh.reason")} != 'unknown_service'
GROUP BY ALL ORDER BY count() DESC, 1, 2, 3, 4 LIMIT {MOST}
"""


@dataclass(frozen=True)
class Asked:
    """Requests that arrived, and whether a policy denied them; without a method, connections that are not HTTP."""

    caller: str
    service: str
    method: str
    path: str
    denied: bool
    count: int
    trace: str


@dataclass(frozen=True)
class Sent:
    """Requests that left, for which authority, and the rule that they took; empty for none."""

    caller: str
    authority: str
    method: str
    path: str
    rule: str
    count: int
    trace: str


def served(reader: Reader, since: datetime) -> list[Flow]:
    """What was let in. Raises StoreUnavailable, QueryFailed."""
    return [
        Flow(caller, service, namespace, method, route, bool(grpc), count)
        for caller, service, namespace, method, route, grpc, count in _rows(reader, _SERVED, since)
    ]


def asked(reader: Reader, since: datetime) -> list[Asked]:
    """What arrived. Raises StoreUnavailable, QueryFailed."""
    return [
        Asked(caller, service, method, path, bool(denied), count, trace)
        for caller, service, method, path, denied, count, trace in _rows(reader, _ASKED, since)
    ]


def sent(reader: Reader, since: datetime) -> list[Sent]:
    """What left. Raises StoreUnavailable, QueryFailed."""
    return [Sent(*row) for row in _rows(reader, _SENT, since)]


def _rows(reader: Reader, query: str, since: datetime) -> Sequence[tuple[Any, ...]]:
    return reader.table(query, {"since": since}).rows
