"""What requests log, from a real collector's store: where lines are put, what bounds them, and a live incident."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.store.client import Reader
from rootcause.explain.queries import RollupQueries
from rootcause.load.read_lines import MOST_LINES
from rootcause.load.request_lines import Asked, RequestLines, Spoken
from rootcause.load.spans import Kind, Span
from rootcause.load.window import Interval, Window
from tests.rootcause.log_lines import Lines
from tests.rootcause.stored import post, store_url
from tests.world.collectors import Collector, collector
from tests.world.mesh_sim import Proxied, otlp

START = 1_700_000_000
BEFORE, SINCE = Interval(START, START + 60), Interval(START + 60, START + 90)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    with collector(tmp_path_factory.mktemp("collector")) as running:
        yield running


@pytest.fixture
def reader(running: Collector) -> Iterator[Reader]:
    with Reader(store_url(running)) as reader:
        yield reader


def requests(service: str, within: Interval, many: int = 60) -> tuple[Span, ...]:
    """As many requests of a service, one after the other, each with a span inside it; other traces for each service."""
    found = []
    for index in range(many):
        trace = f"{abs(hash_of(service)):016x}{round(within.start) + index:016x}"
        at = round((within.start + within.seconds * index / many) * 1e9)
        entry = Span(
            trace, trace[:8] + trace[24:], "", service, "v1", f"{service}-1", "GET /", Kind.SERVER, at, 10**6, False
        )
        found += [entry, replace(entry, id="ff" + entry.id[2:], parent=entry.id, name="look up", kind=Kind.INTERNAL)]
    return tuple(found)


def hash_of(service: str) -> int:
    return int.from_bytes(service.encode()[:8])


def entries(spans: Sequence[Span]) -> list[Span]:
    return [span for span in spans if not span.parent]


def said(
    reader: Reader, usual: tuple[Span, ...], seen: tuple[Span, ...], most: int = MOST_LINES
) -> tuple[Spoken, Spoken]:
    return RequestLines(reader, most).said(Asked(usual, BEFORE), Asked(seen, SINCE))


def patterns(spoken: Spoken) -> Counter[str]:
    """How often each was said, in all spans."""
    return sum(spoken.said.values(), Counter())


def test_lines_are_of_their_span_or_of_their_service_s_first(running: Collector, reader: Reader) -> None:
    usual, seen = requests("named", BEFORE), requests("named", SINCE)
    lines = Lines()
    for span in entries((*usual, *seen)):
        lines.add(span, f"cart {span.id} read", id="")
        lines.add(span, f"stock of {span.id} read", id="00000000000000aa")
        lines.add(replace(span, id="ff" + span.id[2:]), "row found")
        lines.add(replace(span, service="stranger"), "nothing of it is in this trace", id="00000000000000bb")
        lines.add(span, "looking for a bug", 5, "DEBUG")
        lines.add(span, "looking for a bug", 0, "trace")
    lines.send(running)
    _, now = said(reader, usual, seen)
    first = entries(seen)[0]
    assert now.said[first.id] == {'log "INFO cart read"': 1, 'log "INFO stock of read"': 1}
    assert now.said["ff" + first.id[2:]] == {'log "INFO row found"': 1}
    assert set(now.said) == {span.id for span in seen}


def test_a_storm_of_like_lines_is_one_line_many_times(running: Collector, reader: Reader) -> None:
    usual, seen = requests("stormy", BEFORE), requests("stormy", SINCE)
    lines = Lines()
    for span in entries(usual):
        lines.add(span, "asked the bank")
    for span in entries(seen):
        for attempt in range(100):
            lines.add(span, f"attempt {attempt} at {attempt * 7}.{attempt} ms: bank does not answer", 13, "WARN")
        lines.add(span, "asked the bank")
    lines.send(running)
    before, now = said(reader, usual, seen)
    assert patterns(before) == {'log "INFO asked the bank"': 60}
    assert patterns(now) == {'log "INFO asked the bank"': 60, 'log "WARN attempt at ms bank does not answer"': 6000}


def test_of_too_much_that_is_said_fewer_requests_are_listened_to(running: Collector, reader: Reader) -> None:
    usual, seen = requests("chatty", BEFORE, 200), requests("chatty", SINCE, 200)
    lines = Lines()
    for span in entries(usual):
        lines.add(span, "well")
    for span in entries(seen):
        lines.add(span, "well")
        for word in ("alpha", "beta", "gamma", "delta"):
            lines.add(span, f"{word} beyond measure")
    lines.send(running)
    before, now = said(reader, usual, seen, most=600)
    assert (before.one_in, now.one_in) == (1, 4)
    assert len(entries(before.spans)) == 200
    assert len(entries(now.spans)) == 50
    assert patterns(now)['log "INFO well"'] == 50
    assert said(reader, usual, seen, most=210) == (Spoken(usual), Spoken(seen)), "in 50 requests there are 250"


def test_a_store_that_refuses_costs_only_what_requests_log(reader: Reader) -> None:
    usual, seen = requests("refused", BEFORE), requests("refused", SINCE)
    with Reader(f"{reader.url}?max_rows_to_read=1") as bounded:
        assert said(bounded, usual, seen) == (Spoken(usual), Spoken(seen))
    assert said(reader, usual, seen) == (Spoken(usual), Spoken(seen)), "nor does it cost anything to say nothing"


def test_a_structured_body_says_its_message(running: Collector, reader: Reader) -> None:
    usual, seen = requests("structured", BEFORE), requests("structured", SINCE)
    lines = Lines()
    for span in entries((*usual, *seen)):
        fields = {"at": span.id, "level": "warn", "message": "stock läuft aus:\n  shelf 7"}
        lines.add(span, fields, 0, "")
        lines.add(span, json.dumps({"id": span.id, "msg": "在庫切れ", "stack": "x" * 5000}), 0, "")
    lines.send(running)
    _, now = said(reader, usual, seen)
    assert patterns(now) == {'log "WARN stock läuft aus"': 60, 'log " 在庫切れ"': 60}
    for pattern in ("WARN stock läuft aus", " 在庫切れ"):
        rows = reader.rows(RollupQueries(Window((BEFORE,)), Window((SINCE,))).lines("structured", pattern))
        assert [(row["Window"], row["Lines"], row["Traces"]) for row in rows] == [
            ("baseline", 60, 60),
            ("incident", 60, 60),
        ]


def test_lines_without_a_trace_are_of_no_request(running: Collector, reader: Reader) -> None:
    usual, seen = requests("traceless", BEFORE), requests("traceless", SINCE)
    lines = Lines()
    for span in entries((*usual, *seen)):
        lines.add(replace(span, trace=""), "stock read", id="")
    lines.send(running)
    before, now = said(reader, usual, seen)
    assert (before.said, now.said) == ({}, {})


def test_an_instance_whose_logs_are_lost_has_not_changed_its_words(running: Collector, reader: Reader) -> None:
    usual, seen = requests("halved", BEFORE), requests("halved", SINCE)
    post(running.url("http", "/v1/traces"), served_by_two(seen).SerializeToString())
    lines = Lines()
    for span in entries(usual):
        lines.add(span, "stock read")
    for span in entries(seen)[::2]:
        lines.add(span, "stock read")
    lines.send(running)
    before, now = said(reader, usual, seen)
    assert (before.said, now.said) == ({}, {})


def served_by_two(spans: Sequence[Span]) -> ExportTraceServiceRequest:
    """Each second request by the other instance."""
    proxied = [Proxied(replace(span, instance=f"{span.service}-{index // 2 % 2}")) for index, span in enumerate(spans)]
    (request,) = otlp(proxied)
    return request
