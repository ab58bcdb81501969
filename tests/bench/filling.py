"""Fills a store with the spans that the proxies of a busy mesh would have sent, by the million.

In: an open store. Out: rows as ingest writes them: some thousand traces are made as export requests and go through our
own encoder; ClickHouse multiplies its rows with other ids, times, durations and users, and its views make the roll-ups.
Time is an argument. Never: two spans alike.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

import click
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from collector import _columnar as columnar
from tests.world import otlp_requests as world
from tests.world.processes import until
from tests.world.stores import ServedStore

SPANS_A_TRACE = 8
TEMPLATES = 2_500
COPIES_AT_ONCE = 25
"""Templates times copies make one insert: half a million spans."""
FLOWS = 40
INSTANCES = 3
ILL = "service-20"
"""Some entry points wait for it."""
_ILL_US = 60_000
_FAILING = 0.01
_MERGED_WITHIN_S = 900.0
_TEMPLATES = "bench_templates"
_ILL_TEMPLATES = "bench_ill_templates"
# Of each copy: another trace with other ids, somewhat faster or slower, of another user, with another path.
_COPY = """
INSERT INTO otel.otel_traces
WITH
    reinterpretAsUInt64(reverse(unhex(right(t.TraceId, 16)))) AS template,
    {first} + n.number AS copy,
    copy * {templates} + template AS trace,
    0.6 + cityHash64(trace) % 1000 / 1250 + (cityHash64(trace, 's') % 500 = 0) * 9 AS slower,
    toString(cityHash64(trace, 'u') % 1000000) AS user,
    toInt64({begin} + trace * {step} + (toUnixTimestamp64Nano(t.Timestamp) - {base}) * slower) AS start
SELECT t.* REPLACE (
    fromUnixTimestamp64Nano(start) AS Timestamp,
    lower(hex(sipHash128(copy, t.TraceId))) AS TraceId,
    lower(hex(reinterpretAsFixedString(sipHash64(copy, t.SpanId)))) AS SpanId,
    if(t.ParentSpanId = '', '', lower(hex(reinterpretAsFixedString(sipHash64(copy, t.ParentSpanId))))) AS ParentSpanId,
    toUInt64(t.Duration * slower) AS Duration,
    mapApply(
        (name, value) -> (name, multiIf(
            name = 'user.id', user,
            startsWith(name, 'mesh.time.'), toString(toUInt64(toUInt64OrZero(value) * slower)),
            name IN ('url.path', 'url.full'), concat(value, toString(trace % 9973)),
            value
        )),
        t.SpanAttributes
    ) AS SpanAttributes
)
FROM otel.{templates_of} AS t CROSS JOIN numbers({copies}) AS n
ORDER BY start
"""


@dataclass(frozen=True)
class Past:
    """What a store is filled with: so many spans, the newest at `end` (Unix seconds), evenly over `seconds`; over the
    last `ill_s` of these ILL takes much longer."""

    spans: int
    end: int
    seconds: int
    ill_s: int = 0

    @property
    def copies(self) -> int:
        """How often the templates are multiplied; spans are rounded up to whole copies."""
        return math.ceil(self.spans / (TEMPLATES * SPANS_A_TRACE))

    def stretches(self, base_ns: int) -> Iterator[tuple[str, int]]:
        """INSERTs in the order of time, each with how many spans are stored after it."""
        well = self.copies - round(self.copies * self.ill_s / self.seconds)
        yield from self._stretches(base_ns, _TEMPLATES, range(well))
        yield from self._stretches(base_ns, _ILL_TEMPLATES, range(well, self.copies))

    def _stretches(self, base_ns: int, templates_of: str, which: range) -> Iterator[tuple[str, int]]:
        step = self.seconds * 1_000_000_000 // (self.copies * TEMPLATES)
        for first in which[::COPIES_AT_ONCE]:
            copies = min(COPIES_AT_ONCE, which.stop - first)
            sql = _COPY.format(
                templates_of=templates_of,
                first=first,
                copies=copies,
                templates=TEMPLATES,
                begin=(self.end - self.seconds) * 1_000_000_000,
                step=step,
                base=base_ns,
            )
            yield sql, (first + copies) * TEMPLATES * SPANS_A_TRACE


def fill(served: ServedStore, past: Past) -> Iterator[int]:
    """Stores it, insert by insert; yields how many spans are there after each."""
    base_ns = past.end * 1_000_000_000
    for table, ill in ((_TEMPLATES, False), (_ILL_TEMPLATES, True)):
        served.call(served.store.change(f"CREATE TABLE otel.{table} AS otel.otel_traces ENGINE = Memory"))
        for request in _requests(base_ns, ill=ill):
            blocks = columnar.encode_traces(request.SerializeToString()).blocks
            served.call(served.store.insert(table, [block.data for block in blocks]))
    for sql, stored in past.stretches(base_ns):
        served.call(served.store.change(sql), timeout=600)
        yield stored
    for table in (_TEMPLATES, _ILL_TEMPLATES):
        served.call(served.store.change(f"DROP TABLE otel.{table}"))


def fill_and_merge(served: ServedStore, past: Past) -> float:
    """Stores it and tells of it; returns, once nothing is merged any more, how many spans were stored a second."""
    begun, stored = time.monotonic(), 0
    for stored in fill(served, past):
        click.echo(f"  {stored:,} spans stored, {time.monotonic() - begun:,.0f} s", err=True)
    rate = stored / (time.monotonic() - begun)
    with served.client() as client:
        until(lambda: client.execute("SELECT count() FROM system.merges") == [(0,)], "merges", _MERGED_WITHIN_S)
    return rate


def _requests(base_ns: int, traces: int = 100, *, ill: bool) -> Iterator[ExportTraceServiceRequest]:
    drawn = random.Random(7)
    for first in range(0, TEMPLATES, traces):
        made = [part for index in range(first + 1, first + traces + 1) for part in _trace(index, base_ns, drawn, ill)]
        yield ExportTraceServiceRequest(resource_spans=made)


@dataclass(frozen=True)
class _End:
    """One side of a call."""

    service: str
    version: str
    instance: str

    def attributes(self, side: str) -> dict[str, str]:
        return {
            f"mesh.{side}.service": self.service,
            f"mesh.{side}.version": self.version,
            f"mesh.{side}.instance": self.instance,
        }


def _trace(index: int, base_ns: int, drawn: random.Random, ill: bool) -> Iterator[ResourceSpans]:
    """Entry calls b, which calls c; then it calls d, which asks a database that sends no spans."""
    flow = drawn.randrange(FLOWS)
    numbers = (flow % 4, 4 + flow % 12, 16 + flow * 5 % 12, 4 + (flow * 7 + 3) % 12)
    entry, second, third, fourth = (_end(number, drawn) for number in numbers)
    database = _End(f"service-{28 + flow % 4}", "", "")
    failed = drawn.random() < _FAILING
    trace = index.to_bytes(16, "big")
    made = _Made(trace, base_ns, flow, drawn)
    own = [max(1, round(drawn.lognormvariate(math.log(4_000), 0.6))) for _ in range(4)]
    if ill and third.service == ILL:
        own[2] += _ILL_US
    third_us = own[2]
    second_us = own[1] + third_us + 300
    fourth_us = own[3] + 900
    whole_us = own[0] + second_us + fourth_us + 600
    yield made.span(1, 0, None, entry, 0, whole_us, failed, own[0], 2)
    yield made.span(2, 1, entry, second, own[0] // 2, second_us + 300, failed)
    yield made.span(3, 2, entry, second, own[0] // 2 + 150, second_us, failed, own[1], 1)
    yield made.span(4, 3, second, third, own[0] // 2 + own[1] // 2, third_us + 300, failed)
    yield made.span(5, 4, second, third, own[0] // 2 + own[1] // 2 + 150, third_us, failed, own[2], 0)
    begun = own[0] // 2 + second_us + 300
    yield made.span(6, 1, entry, fourth, begun, fourth_us + 300, False)
    yield made.span(7, 6, entry, fourth, begun + 150, fourth_us, False, own[3], 1)
    yield made.span(8, 7, fourth, database, begun + 150 + own[3] // 2, 900, False)


def _end(number: int, drawn: random.Random) -> _End:
    instance = drawn.randrange(INSTANCES)
    return _End(f"service-{number}", "v2" if instance else "v1", f"service-{number}-{instance}")


@dataclass
class _Made:
    """Spans of one trace, as the proxies write them (docs/telemetry.md)."""

    trace: bytes
    base_ns: int
    flow: int
    drawn: random.Random

    def span(
        self,
        number: int,
        parent: int,
        source: _End | None,
        destination: _End,
        begun_us: int,
        took_us: int,
        failed: bool,
        own_us: int | None = None,
        children: int = 0,
    ) -> ResourceSpans:
        """A client's span unless it has time of its own."""
        server = own_us is not None
        mine = destination if server else source
        assert mine is not None
        route = f"/api/{destination.service[8:]}/{self.flow % 5}/{{id}}"
        path = route.replace("{id}", str(self.drawn.randrange(100)))
        attributes = {
            **(source.attributes("source") if source else {}),
            **destination.attributes("destination"),
            "http.request.method": "GET",
            "network.protocol.version": "1.1",
            "url.path": path,
            "url.scheme": "http",
            "server.address": destination.service,
            "server.port": "80",
            "mesh.route": route,
            "mesh.epoch": "7",
            "mesh.tls": "mtls",
            "http.response.status_code": "503" if failed else "200",
            "mesh.time.first_byte_us": str(took_us - self.drawn.randrange(40)),
            "mesh.time.queue_us": str(self.drawn.randrange(9)),
            "user.id": "0",
        }
        if server:
            attributes |= {
                "http.route": route,
                "network.peer.address": f"10.1.{self.drawn.randrange(4)}.{self.drawn.randrange(250)}",
                "mesh.time.own_us": str(own_us),
                "mesh.children": str(children),
                "mesh.children.failed": str(int(failed and children > 0)),
            }
        else:
            attributes |= {"url.full": f"http://{destination.service}{path}", "mesh.attempt": "1"}
        if failed:
            attributes |= {"error.type": "503", "mesh.reason": "upstream_reset"}
        start = self.base_ns + begun_us * 1000
        span = Span(
            trace_id=self.trace,
            span_id=self.trace[-4:] + number.to_bytes(4, "big"),
            parent_span_id=self.trace[-4:] + parent.to_bytes(4, "big") if parent else b"",
            name=f"GET {route}",
            kind=Span.SPAN_KIND_SERVER if server else Span.SPAN_KIND_CLIENT,
            start_time_unix_nano=start,
            end_time_unix_nano=start + took_us * 1000,
            status=Status(code=Status.STATUS_CODE_ERROR if failed else Status.STATUS_CODE_UNSET),
            attributes=[world.attribute(key, value) for key, value in attributes.items()],
        )
        names = {
            "service.name": mine.service,
            "service.namespace": "shop",
            "service.version": mine.version,
            "service.instance.id": mine.instance,
            "cloud.availability_zone": f"zone-{mine.instance[-1:]}",
        }
        made = ResourceSpans(scope_spans=[ScopeSpans(spans=[span])])
        made.resource.attributes.extend(world.attribute(key, value) for key, value in names.items())
        made.scope_spans[0].scope.name = "whymesh.proxy"
        return made
