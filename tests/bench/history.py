"""`python -m tests.bench.history`: how fast a store with ten million spans answers, and the bytes a span takes there.

In: made spans of 32 services over six hours, eight a trace. Out: the median time of each question over the native
protocol, from sending it to the last row read.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from collector.store.bounds import Bounds
from collector.store.client import Reader
from tests.bench.results import Column, Findings, Table, Target, verdicts
from tests.world.processes import until
from tests.world.stores import ServedStore, served_store

SPANS = 10_000_000
_CHUNK = 500_000
_ASKED = 9
_MERGED_WITHIN_S = 900.0
_SPAN = 6 * 3600 * 1_000_000_000
# Durations and users are spread like real ones: most are ordinary, some are rare.
_INSERT = """
INSERT INTO otel.otel_traces
(Timestamp, TraceId, SpanId, ParentSpanId, SpanName, SpanKind, ServiceName, ResourceAttributes, ScopeName,
 SpanAttributes, Duration, StatusCode)
WITH
    intDiv(number, 8) AS trace, number % 8 AS place,
    toString(cityHash64(trace, intDiv(place + 1, 2)) % 32) AS callee,
    toString(cityHash64(trace, intDiv(place, 2)) % 32) AS caller,
    concat('/api/', toString(cityHash64(number) % 12)) AS route, cityHash64(number) % 100 = 0 AS failed
SELECT
    fromUnixTimestamp64Nano(toInt64({begin} + trace * 8 * {step} + place * 1000000)),
    lower(hex(sipHash128(trace))), lower(hex(sipHash64(number))), if(place = 0, '', lower(hex(sipHash64(number - 1)))),
    concat('GET ', route), if(place % 2 = 0, 'Server', 'Client'), concat('service-', if(place % 2 = 0, callee, caller)),
    map('host.name', concat('node-', toString(trace % 20)), 'service.version', concat('v', toString(trace % 3))),
    'whymesh',
    map('http.request.method', 'GET', 'http.response.status_code', if(failed, '503', '200'), 'http.route', route,
        'mesh.destination.service', concat('service-', callee), 'mesh.route', route,
        'mesh.source.service', concat('service-', caller), 'user.id', toString(cityHash64(trace) % 1000000)),
    exp(rand(1) % 1000 / 100.) * 10000, if(failed, 'Error', 'Unset')
FROM numbers({first}, {count})
"""
_GRAPH = """
SELECT Source, Destination, sum(Calls) AS Calls, sum(Errors) AS Errors,
    quantilesDDMerge(0.01, 0.5, 0.9, 0.95, 0.99)(Durations) AS Times
FROM otel.mesh_edges WHERE Bucket >= toDateTime({end}) - 3600 GROUP BY Source, Destination
"""
_TRACE = """
WITH (SELECT min(Start) FROM otel.otel_traces_trace_id_ts WHERE TraceId = '{trace}') AS first,
     (SELECT max(End) + 1 FROM otel.otel_traces_trace_id_ts WHERE TraceId = '{trace}') AS last
SELECT Timestamp, SpanId, ParentSpanId, ServiceName, SpanName, Duration, SpanAttributes
FROM otel.otel_traces WHERE TraceId = '{trace}' AND Timestamp >= first AND Timestamp <= last
"""
_ATTRIBUTE = """
SELECT Timestamp, TraceId, ServiceName, SpanName, Duration FROM otel.otel_traces
WHERE SpanAttributes['user.id'] = '{user}' AND has(mapValues(SpanAttributes), '{user}')
ORDER BY Timestamp DESC LIMIT 100
"""

_SIZE = """
SELECT sumIf(bytes_on_disk, table = 'otel_traces') AS spans, sum(bytes_on_disk) AS everything
FROM system.parts WHERE database = 'otel' AND active
"""
_KNOWN = f"""
SELECT TraceId AS trace, any(SpanAttributes['user.id']) AS user FROM otel.otel_traces
GROUP BY TraceId ORDER BY cityHash64(TraceId) LIMIT {_ASKED}
"""


@dataclass(frozen=True)
class Asked:
    """A question, how long its answer may take, and what it took."""

    what: str
    ms: float
    rows: int
    target: float


def measure(spans: int = SPANS) -> Findings:
    """Fills a store and asks it."""
    with (
        tempfile.TemporaryDirectory(prefix="whymesh-history-") as folder,
        served_store(Path(folder), Bounds(seconds=120)) as served,
        Reader(served.url) as reader,
    ):
        end, rate = _fill(served, spans)
        answers = _answers(reader, end)
        (size,) = reader.rows(_SIZE)
    told = Table(
        title=f"{spans:,} spans stored, {rate:,.0f} a second with every roll-up: what questions take",
        columns=(Column(head="question"), Column(head="ms", form=",.1f"), Column(head="rows")),
        rows=tuple((one.what, one.ms, float(one.rows)) for one in answers),
    )
    disk = Table(
        title="What a span takes on disk",
        columns=(Column(head="tables"), Column(head="bytes a span", form=",.1f")),
        rows=(("otel_traces", size["spans"] / spans), ("with its roll-ups", size["everything"] / spans)),
    )
    targets = tuple(
        Target(what=f"{one.what}, of {spans:,} spans", measured=one.ms, target=one.target, bound="at most", unit=" ms")
        for one in answers
    )
    return Findings(section="history", tables=(told, disk), targets=targets)


def _fill(served: ServedStore, spans: int) -> tuple[int, float]:
    """The second of the newest span, and spans stored a second; returns when nothing is merged any more."""
    end = int(time.time())
    step = _SPAN // spans
    begun = time.monotonic()
    for first in range(0, spans, _CHUNK):
        count = min(_CHUNK, spans - first)
        sql = _INSERT.format(begin=end * 1_000_000_000 - _SPAN, step=step, first=first, count=count)
        served.call(served.store.change(sql), timeout=600)
        click.echo(f"  {first + count:,} spans stored", err=True)
    rate = spans / (time.monotonic() - begun)
    with served.client() as client:
        until(lambda: client.execute("SELECT count() FROM system.merges") == [(0,)], "merges", _MERGED_WITHIN_S)
    return end, rate


def _answers(reader: Reader, end: int) -> list[Asked]:
    """Each question several times, each time about another trace or user where it is about one."""
    known = reader.rows(_KNOWN)
    graph = [_GRAPH.format(end=end)] * _ASKED
    traces = [_TRACE.format(trace=one["trace"]) for one in known]
    users = [_ATTRIBUTE.format(user=one["user"]) for one in known]
    return [
        _asked("service graph of the last hour", reader, graph, 100),
        _asked("trace by id", reader, traces, 20),
        _asked("spans by attribute value", reader, users, 200),
    ]


def _asked(what: str, reader: Reader, questions: list[str], target: float) -> Asked:
    times, rows = [], 0
    for question in questions:
        begun = time.perf_counter()
        answer: list[tuple[Any, ...]] = reader.table(question).rows
        times.append((time.perf_counter() - begun) * 1000)
        rows = len(answer)
        assert rows, f"no answer to: {question}"
    return Asked(what, statistics.median(times), rows, target)


@click.command()
@click.option("--spans", default=SPANS, show_default=True)
def main(spans: int) -> None:
    """Ask a store with many spans what people ask of it."""
    found = measure(spans)
    for table in found.tables:
        click.echo(f"\n{table.title}\n\n{table.markdown()}")
    click.echo(f"\n{verdicts(found.targets)}")


if __name__ == "__main__":
    main()
