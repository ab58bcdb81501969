"""`python -m tests.bench.history`: how fast a store with ten million spans answers, and the bytes a span takes there.

In: spans of 32 services over six hours, eight a trace (filling.py). Out: the median time of each question over the
native protocol, from sending it to the last row read; the questions are those of the web UI's pages.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click

from collector.store.bounds import Bounds
from collector.store.client import Reader
from dashboards import reads
from dashboards.examples import EXAMPLES
from dashboards.window import Window
from tests.bench.filling import Past, fill_and_merge
from tests.bench.results import Column, Findings, Table, Target, verdicts
from tests.world.stores import served_store

SPANS = 10_000_000
_ASKED = 9
_HOURS = 6
_ATTRIBUTE = EXAMPLES["Spans by the value of an attribute"].replace("mesh.destination.instance", "user.id")
_SIZE = """
SELECT sumIf(bytes_on_disk, table = 'otel_traces') AS spans, sum(bytes_on_disk) AS everything
FROM system.parts WHERE database = 'otel' AND active
"""
_KNOWN = f"""
SELECT TraceId AS trace, any(SpanAttributes['user.id']) AS user FROM otel.otel_traces
WHERE Timestamp >= %(start)s AND Timestamp < %(end)s
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
        past = Past(spans, int(time.time()), _HOURS * 3600)
        rate = fill_and_merge(served, past)
        answers = _answers(reader, past)
        (size,) = reader.rows(_SIZE)
        stored = reader.rows("SELECT count() AS spans FROM otel.otel_traces")[0]["spans"]
    told = Table(
        title=f"{stored:,} spans stored, {rate:,.0f} a second with every roll-up: what questions take",
        columns=(Column(head="question"), Column(head="ms", form=",.1f"), Column(head="rows")),
        rows=tuple((one.what, one.ms, float(one.rows)) for one in answers),
    )
    disk = Table(
        title="What a span takes on disk",
        columns=(Column(head="tables"), Column(head="bytes a span", form=",.1f")),
        rows=(("otel_traces", size["spans"] / stored), ("with its roll-ups", size["everything"] / stored)),
    )
    targets = tuple(
        Target(what=f"{one.what}, of {stored:,} spans", measured=one.ms, target=one.target, bound="at most", unit=" ms")
        for one in answers
    )
    return Findings(section="history", tables=(told, disk), targets=targets)


def _answers(reader: Reader, past: Past) -> list[Asked]:
    """Each question several times, each time about another trace or user where it is about one."""
    end = datetime.fromtimestamp(past.end, UTC)
    hour = Window.last(60, end)
    some = Window.last(1, datetime.fromtimestamp(past.end - past.seconds // 2, UTC))
    known = reader.rows(_KNOWN, some.bounds())
    ask = reader.rows
    return [
        _asked("service graph of the last hour", [partial(reads.edges, ask, hour)] * _ASKED, 100),
        _asked("services of the last hour", [partial(reads.services, ask, hour)] * _ASKED, 100),
        _asked("trace by id", [partial(reads.trace, ask, one["trace"]) for one in known], 20),
        _asked(
            "spans by attribute value",
            [partial(ask, _ATTRIBUTE.replace("payments-1", one["user"])) for one in known],
            200,
        ),
    ]


def _asked(what: str, questions: Sequence[Callable[[], list[dict[str, Any]]]], target: float) -> Asked:
    times, rows = [], 0
    for question in questions:
        begun = time.perf_counter()
        rows = len(question())
        times.append((time.perf_counter() - begun) * 1000)
        assert rows, f"no answer: {what}"
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
