"""Reads what single requests are known by: their machine and zone, their caller, and the attributes of their spans,
those that the application recorded and those of the request from outside that they were made for.

In: an open Reader, which requests. Out: traits by trace and span. Never: attributes that only tell how a request went,
those that tell apart what is narrowed down already, and values that are too long to be shared.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from collector.store.client import Reader
from rootcause.load.asked import Asked
from rootcause.load.traits import CALLER_KEY, NODE_KEYS, ZONE_KEY, Of, Trait, traits
from rootcause.load.window import Interval

MOST = 20_000
SECONDS = 5
"""What the store may take over each query."""
LONGEST = 200
BEFORE_S = 5.0
"""Requests from outside begin so much earlier, at the most, than those that are made for them."""
_OUTCOMES = (
    *("http.response.", "rpc.response.", "error.type", "mesh.time.", "mesh.children", "mesh.reason", "mesh.epoch"),
    *("mesh.destination.service", "mesh.destination.identity", "mesh.route", "http.route", CALLER_KEY),
)
"""Beginnings of attributes that are never what a request brings with it."""
_TOLD = f"""mapFilter((k, v) -> v != '' AND length(v) <= {LONGEST} AND NOT arrayExists(
        o -> startsWith(k, o), {list(_OUTCOMES)}), SpanAttributes)"""
_REQUESTS = f"""
SELECT TraceId, SpanId, {", ".join(f"ResourceAttributes['{key}']" for key in (*NODE_KEYS, ZONE_KEY))},
    SpanAttributes['{CALLER_KEY}'], {_TOLD}
FROM otel.otel_traces WHERE {{condition}} ORDER BY Timestamp DESC LIMIT {MOST}
SETTINGS max_execution_time = {SECONDS}
"""
_BESIDE = f"""
SELECT TraceId, ParentSpanId, {_TOLD} AS Told
FROM otel.otel_traces WHERE {{condition}} AND SpanKind = 'Server' AND NOT empty(Told)
ORDER BY Timestamp DESC LIMIT {MOST} SETTINGS max_execution_time = {SECONDS}
"""

Id = tuple[str, str]
"""Of a trace, and of a span in it."""


def read_traits(reader: Reader, asked: Asked) -> dict[Id, frozenset[Trait]]:
    """Raises StoreUnavailable, QueryFailed."""
    served = _served(reader, asked)
    entered = _entered(reader, asked)
    found: dict[Id, frozenset[Trait]] = {}
    for trace, span, *where, caller, told in reader.table(_REQUESTS.format(condition=asked.condition)).rows:
        placed = _placed(dict(zip((*NODE_KEYS, ZONE_KEY), where, strict=True)), caller)
        passed = traits(Of.PASSED, {key: told[key] for key in told if asked.callers or key not in _ITS_OWN})
        found[trace, span] = placed | passed | served.get((trace, span), frozenset()) | entered.get(trace, frozenset())
    return found


_ITS_OWN = ("mesh.destination.version", "mesh.destination.instance")
"""What the callee says of itself is narrowed down by all of its requests."""


def _placed(resource: dict[str, str], caller: str) -> frozenset[Trait]:
    """Where it was served, and for whom."""
    node = next((Trait(Of.NODE, key, resource[key]) for key in NODE_KEYS if resource[key]), None)
    zone = Trait(Of.ZONE, ZONE_KEY, resource[ZONE_KEY]) if resource[ZONE_KEY] else None
    asker = Trait(Of.CALLER, CALLER_KEY, caller) if caller else None
    return frozenset(trait for trait in (node, zone, asker) if trait is not None)


def _served(reader: Reader, asked: Asked) -> dict[Id, frozenset[Trait]]:
    """By the request that they are children of: what the application recorded."""
    if asked.callers:
        return {}
    rows = reader.table(_BESIDE.format(condition=asked.condition_of(asked.recorders))).rows
    return {(trace, parent): traits(Of.SERVED, told) for trace, parent, told in rows if parent}


def _entered(reader: Reader, asked: Asked) -> dict[str, frozenset[Trait]]:
    """By trace: what is said of the request from outside, by its proxy and by its application."""
    if not asked.entries:
        return {}
    interval = Interval(asked.interval.start - BEFORE_S, asked.interval.end)
    # An entry point takes many more requests than lead to the service, most of the time.
    of_these = f"TraceId IN (SELECT TraceId FROM otel.otel_traces WHERE {asked.condition})"
    condition = f"{replace(asked, interval=interval).condition_of(asked.entries)} AND {of_these}"
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for trace, _, told in reader.table(_BESIDE.format(condition=condition)).rows:
        found[trace] |= told
    return {trace: traits(Of.ENTERED, told) for trace, told in found.items()}
