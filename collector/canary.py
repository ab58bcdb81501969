"""Writes a known trace every few seconds and reads it back: the whole way from a request to a row, tried all the time.

In: nothing. Out: how long each took to be read, and what became of those that were not. Never: two under way at a time.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span
from prometheus_client import CollectorRegistry, Counter, Histogram

from collector.errors import CollectorError
from collector.store.errors import StoreError

log = logging.getLogger("whymesh.collector")

SCOPE = "whymesh.canary"
_AGAIN_S = 0.25
_PATIENCE_S = 30.0

Take = Callable[[bytes], Awaitable[object]]
Ask = Callable[[str], Awaitable[list[dict[str, Any]]]]


class Canary:
    """`take` is the way of every request, `ask` reads the store."""

    def __init__(self, registry: CollectorRegistry, take: Take, ask: Ask, patience_s: float = _PATIENCE_S) -> None:
        self._take = take
        self._ask = ask
        self._patience_s = patience_s
        self._outcomes = Counter(
            "whymesh_collector_canaries",
            "Known traces written: read, refused (not taken), missing (not read in time), wrong (not as written).",
            ("outcome",),
            registry=registry,
        )
        for outcome in ("read", "refused", "missing", "wrong"):
            self._outcomes.labels(outcome)
        self._seconds = Histogram(
            "whymesh_collector_canary_seconds",
            "From a request to its row.",
            buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            registry=registry,
        )

    async def sing(self, every_s: float) -> None:
        """Until cancelled."""
        while True:
            await self.once()
            await asyncio.sleep(every_s)

    async def once(self) -> str:
        """Writes one trace, reads it back, and returns what became of it."""
        trace, mark, started = secrets.token_bytes(16), secrets.token_hex(8), time.monotonic()
        try:
            await self._take(_request(trace, mark))
            outcome = await self._read(trace.hex(), mark, started + self._patience_s)
        except CollectorError as error:
            log.warning("canary: the trace was not taken: %s", error)
            outcome = "refused"
        if outcome == "read":
            self._seconds.observe(time.monotonic() - started)
        self._outcomes.labels(outcome).inc()
        return outcome

    async def _read(self, trace: str, mark: str, deadline: float) -> str:
        sql = (
            f"SELECT count() AS rows, countIf(SpanAttributes['canary.mark'] = '{mark}') AS right FROM otel.otel_traces"
            f" WHERE Timestamp > now() - INTERVAL 10 MINUTE AND TraceId = '{trace}'"
        )
        problem = ""
        while time.monotonic() < deadline:
            try:
                (found,) = await self._ask(sql)
            except StoreError as error:
                found, problem = {"rows": 0, "right": 0}, str(error)
            if found["rows"]:
                if found["rows"] == found["right"] == 1:
                    return "read"
                log.warning(
                    "canary: one span was written, %d were read, %d of them right", found["rows"], found["right"]
                )
                return "wrong"
            await asyncio.sleep(_AGAIN_S)
        log.warning("canary: a trace was taken and not read within %.0f s %s", self._patience_s, problem)
        return "missing"


def _request(trace: bytes, mark: str) -> bytes:
    now = time.time_ns()
    span = Span(
        trace_id=trace,
        span_id=trace[:8],
        name="canary",
        kind=Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=now,
        end_time_unix_nano=now,
        attributes=[_attribute("canary.mark", mark)],
    )
    scoped = ScopeSpans(scope=InstrumentationScope(name=SCOPE), spans=[span])
    resource = Resource(attributes=[_attribute("service.name", "whymesh-collector")])
    body: bytes = ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(resource=resource, scope_spans=[scoped])]
    ).SerializeToString()
    return body


def _attribute(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))
