"""Reads some whole traces, and of their spans no more than is asked of them.

In: an open Reader, a stretch of time, one trace in how many is wanted. Out: their spans, without versions, instances
and failures, which roll-ups tell better. Attributes are most of what is stored of a span; whom a call was for is read
only for calls by names of which some have no span of the other end. Never: a trace of which a part is left out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from collector.store.client import Reader
from rootcause.load.first_told import PEER
from rootcause.load.read_spans import EVENTS, KINDS
from rootcause.load.spans import Kind, Span
from rootcause.load.window import Interval

MOST_SAMPLED = 40_000
AROUND_S = 5.0
"""A request's spans begin no longer before or after it than this, nearly always; and all of them are stored by then."""
LONGEST_LIST = 100_000
"""Characters of names in one query; a store takes no more than 256 KiB of it."""
_SAMPLE = """FROM otel.otel_traces WHERE Timestamp >= %(start)s AND Timestamp < %(end)s
    AND modulo(cityHash64(TraceId), %(each)s) = 0"""
_SPANS = f"""
SELECT TraceId, SpanId, ParentSpanId, ServiceName, SpanName, SpanKind, toUnixTimestamp64Nano(Timestamp), Duration,
    {EVENTS}
{_SAMPLE} LIMIT {MOST_SAMPLED}
"""
# An attribute by itself is read by going through all of them; several are better looked up in what was read once.
_PEERS = f"""
SELECT TraceId, SpanId, {PEER} {_SAMPLE} AND {{calls}}
SETTINGS optimize_functions_to_subcolumns = 0
"""
_BY_NAME, _BY_SERVICE = "(ServiceName, SpanName) IN %(names)s", "ServiceName IN %(services)s"

Name = tuple[str, str]
"""Of a span: its service's and its own."""


def read_sample(reader: Reader, interval: Interval, each: int) -> list[Span]:
    """Spans of the traces that have one which starts inside the interval, of one trace in `each`, whichever service
    they are of; none when there are more than MOST_SAMPLED, for some of them would not be whole traces. Raises
    StoreUnavailable, QueryFailed."""
    params = {
        "start": datetime.fromtimestamp(interval.start - AROUND_S, UTC),
        "end": datetime.fromtimestamp(interval.end + AROUND_S, UTC),
        "each": each,
    }
    rows = reader.table(_SPANS, params).rows
    if len(rows) >= MOST_SAMPLED:
        return []
    spans = {(span.trace, span.id): span for span in map(_span, rows)}.values()  # exporters try again
    inside = {span.trace for span in spans if span.start_ns / 1e9 in interval}
    whole = [span for span in spans if span.trace in inside]
    peers = _peers(reader, params, unanswered(whole))
    return [replace(span, peer=peer) if (peer := peers.get((span.trace, span.id))) else span for span in whole]


def unanswered(spans: Collection[Span]) -> set[Name]:
    """Names of calls some of which have no span of the other end, so that it matters whom they were for: client spans,
    and others whose like call somebody at times."""
    known = {(span.trace, span.id): span for span in spans}
    answered = {
        (span.trace, span.parent)
        for span in spans
        if (parent := known.get((span.trace, span.parent))) is not None and parent.service != span.service
    }
    leading = {_name(known[id]) for id in answered}
    return {
        _name(span)
        for id, span in known.items()
        if id not in answered and (span.kind is Kind.CLIENT or _name(span) in leading)
    }


def _peers(reader: Reader, params: Mapping[str, Any], calls: Collection[Name]) -> dict[tuple[str, str], str]:
    """By trace and span, of calls by these names, whom they say that they are for."""
    if not calls:
        return {}
    services = sorted({service for service, _ in calls})
    few = sum(len(service) + len(name) for service, name in calls) <= LONGEST_LIST
    query = _PEERS.format(calls=_BY_NAME if few else _BY_SERVICE)
    rows = reader.table(query, {**params, "names": sorted(calls), "services": services}).rows
    return {(trace, span): peer for trace, span, peer in rows}


def _name(span: Span) -> Name:
    return span.service, span.name


def _span(row: Sequence[Any]) -> Span:
    trace, span, parent, service, name, kind, start, duration, events = row
    kind = KINDS.get(kind, Kind.INTERNAL)
    return Span(trace, span, parent, service, "", "", name, kind, start, duration, False, events=tuple(events))
