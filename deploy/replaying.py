"""Feeds a recorded incident through a collector's OTLP port and asks the engine about what the store then holds.

In: a case and a running collector. Out: the verdict on the recorded windows. What is stored already is not sent again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.store.client import Reader
from deploy.asking import Unanswered, ask
from deploy.replaying_lines import said_in, stored, unsent
from rootcause.attribute.on_path import with_path
from rootcause.detect.onset import Began, began
from rootcause.explain.detail import Detail
from rootcause.explain.finding import Finding
from rootcause.explain.headline import by_errors
from rootcause.explain.proof import explain, moment
from rootcause.explain.queries import SpanQueries
from rootcause.incidents.single_requests import USUAL_S
from rootcause.judge.diagnose import State, Verdict, diagnose
from rootcause.load.callees import callees_of
from rootcause.load.changes import LOOK_BACK_S
from rootcause.load.from_spans import window_of
from rootcause.load.log_patterns import said
from rootcause.load.looked import Sample
from rootcause.load.moments import Wanted, moments_of
from rootcause.load.read_spans import read_spans
from rootcause.load.recorded import LOGS, SPANS, Case, CaseRefused
from rootcause.load.recorded_spans import messages
from rootcause.load.spans import Span, from_otlp
from rootcause.load.window import Interval

MOST_SPANS = 5_000_000
STORED_WITHIN_S = 60.0
RETRIES = 5


@dataclass(frozen=True)
class Collector:
    """Addresses of a running collector: OTLP over HTTP, and its store."""

    otlp: str
    store: str


@dataclass(frozen=True)
class Outcome:
    """What a replay found; `seconds` is reading the windows back and judging them."""

    case: str
    state: State
    summary: str
    finding: Finding | None
    sent: int
    stored_before: int
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        ranking = [ranked.service for ranked in self.finding.ranking] if self.finding else []
        return {
            "case": self.case,
            "state": self.state,
            "summary": self.summary,
            "ranking": ranking,
            "finding": self.finding.model_dump(mode="json") if self.finding else None,
            "spans": {"sent": self.sent, "stored_before": self.stored_before},
            "seconds": round(self.seconds, 3),
        }


def replay(case: Case, collector: Collector, progress: Callable[[str], None]) -> Outcome:
    """Sends, reads back, judges. Raises CaseRefused, StoreUnavailable, QueryFailed, OSError."""
    with Reader(collector.store, max_execution_time=120, max_result_rows=MOST_SPANS) as reader:
        sent, stored_before = _feed(case, collector, reader, progress)
        progress("judging what the store holds")
        began = time.monotonic()
        return _judge(case, reader, sent, stored_before, began)


def _judge(case: Case, reader: Reader, sent: int, stored_before: int, began: float) -> Outcome:
    normal, incident = read_spans(reader, case.baseline), read_spans(reader, case.incident)
    callees = callees_of(normal)
    usual, lately = said(said_in(reader, case.baseline, normal), said_in(reader, case.incident, incident))
    baseline = window_of(normal, case.baseline, usual, callees=callees)
    sample = Sample(tuple(normal), tuple(incident))
    observed = with_path(window_of(incident, case.incident, lately, callees=callees), sample)
    verdict = diagnose(baseline, observed, case.changed(LOOK_BACK_S))
    finding, summary = None, verdict.reason
    if verdict.suspects:
        queries = SpanQueries(baseline, observed)
        before = read_spans(reader, [Interval(observed.start - USUAL_S, observed.start)])
        detail = Detail(_began(verdict, normal, [*before, *incident]))
        id, now = case.file.id, observed.end
        finding = explain(verdict, baseline, observed, queries, incident=id, now=now, sample=sample, detail=detail)
        summary = finding.title
    seconds = time.monotonic() - began
    return Outcome(case.file.id, verdict.state, summary, finding, sent, stored_before, seconds)


def _began(verdict: Verdict, normal: list[Span], around: list[Span]) -> Began | None:
    """When it began, as far as single requests tell."""
    first = verdict.suspects[0]
    wanted = Wanted(first.service, verdict.narrowed.instance, by_errors(first), bool(verdict.links))
    return began(moments_of(normal, around, wanted))


def _feed(case: Case, collector: Collector, reader: Reader, progress: Callable[[str], None]) -> tuple[int, int]:
    """Sends every message that the store does not hold; returns spans sent and spans that were there.

    Returns once the store holds the last of them; it takes them in the order in which they were sent.
    """
    sent = there = 0
    last = None
    traces: dict[str, str] = {}
    for path, body in _recorded(case):
        spans = list(from_otlp(ExportTraceServiceRequest.FromString(body)))
        traces.update((span.id, span.trace) for span in spans)
        if spans and _stored(reader, spans[0].trace, spans[0].id):
            there += len(spans)
            continue
        _post(collector.otlp, "traces", body)
        sent, last = sent + len(spans), spans[-1] if spans else last
        progress(f"{path.name}: {sent} spans sent")
    said_last = None
    for said_last, body in unsent(case, reader, traces):
        _post(collector.otlp, "logs", body)
        progress(f"{LOGS}: lines up to {moment(said_last.time):%H:%M:%S} sent")
    _await(collector, lambda: last is None or _stored(reader, last.trace, last.id))
    _await(collector, lambda: said_last is None or stored(reader, said_last))
    return sent, there


def _await(collector: Collector, done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + STORED_WITHIN_S
    while not done():
        if time.monotonic() > deadline:
            raise OSError(f"{collector.otlp} took everything, but has not stored it after {STORED_WITHIN_S:.0f} s")
        time.sleep(0.1)


def _recorded(case: Case) -> Iterator[tuple[Path, bytes]]:
    paths = [*case.baseline_files(SPANS), case.folder / SPANS]
    if not paths[-1].exists():
        raise CaseRefused(f"{paths[-1]}: there are no spans to replay; `python -m rootcause.evaluate` reads other data")
    for path in paths:
        for body in messages(path):
            yield path, body


def _stored(reader: Reader, trace: str, span: str) -> bool:
    sql = "SELECT count() AS n FROM otel.otel_traces WHERE TraceId = %(trace)s AND SpanId = %(span)s"
    return bool(reader.rows(sql, {"trace": trace, "span": span})[0]["n"])


def _post(otlp: str, signal: str, body: bytes) -> None:
    """One export request, tried again while the collector asks for that. Source: OTLP 1.x, "OTLP/HTTP Throttling"."""
    url = f"{otlp.rstrip('/')}/v1/{signal}"
    for attempt in range(1, RETRIES + 1):
        try:
            ask(url, url, body=body, method="POST", content_type="application/x-protobuf", timeout_s=60).close()
            return
        except Unanswered as error:
            if error.status not in (429, 502, 503, 504) or attempt == RETRIES:
                raise
            time.sleep(float(error.headers.get("Retry-After") or attempt))
