"""Whole traces from a real collector's store: less is read of their spans, and nothing else is found in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from collector.store.client import Reader
from rootcause.attribute.critical_path import children, critical_path
from rootcause.load import read_sample as reading
from rootcause.load.callees import callees_of
from rootcause.load.from_spans import window_of
from rootcause.load.read_sample import AROUND_S, LONGEST_LIST, read_sample
from rootcause.load.read_spans import read_spans
from rootcause.load.spans import Kind, Span
from rootcause.load.window import Interval, Step
from tests.rootcause.stored import send, store_url
from tests.world.collectors import collector
from tests.world.mesh_sim import Proxied, Shop

START = 1_700_000_000.0
INTERVAL = Interval(START + 10, START + 30)
AROUND = Interval(INTERVAL.start - AROUND_S, INTERVAL.end + AROUND_S)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with collector(tmp_path_factory.mktemp("collector")) as running:
        send(running, traffic())
        with Reader(store_url(running)) as reader:
            yield reader


def traffic() -> list[Proxied]:
    """Payments sends no spans at all; each third call of inventory is not received."""
    found, calls = [], 0
    for one in Shop(7, rate=8).run(START, 40):
        lost = one.span.service == "payments"
        if one.span.service == "inventory" and one.span.kind is Kind.SERVER:
            calls += 1
            lost = calls % 3 == 0
        found += [] if lost else [one]
    return found


def whole(reader: Reader) -> list[Span]:
    """Traces with a span in the interval, everything of each span."""
    spans = read_spans(reader, [AROUND])
    inside = {span.trace for span in spans if span.start_ns / 1e9 in INTERVAL}
    return [span for span in spans if span.trace in inside]


def steps(spans: Sequence[Span]) -> set[Step]:
    return set(window_of(spans, [INTERVAL], callees=callees_of(spans)).steps)


def paths(spans: Sequence[Span]) -> dict[str, tuple[Counter[str], set[str]]]:
    """Of each request, the time by place, and what went on beside."""
    below = children(spans)
    found = {span.id: critical_path(span, below) for span in spans if not span.parent}
    return {id: (path.on, {span.id for span in path.aside}) for id, path in found.items()}


@pytest.mark.parametrize("longest", [LONGEST_LIST, 0])
def test_what_is_not_read_changes_nothing(reader: Reader, monkeypatch: pytest.MonkeyPatch, longest: int) -> None:
    monkeypatch.setattr(reading, "LONGEST_LIST", longest)
    all_of_it, sample = whole(reader), read_sample(reader, INTERVAL, 1)
    assert {span.id for span in sample} == {span.id for span in all_of_it}
    assert steps(sample) == steps(all_of_it)
    assert {"-> payments", "-> inventory"} <= {step.name for step in steps(sample)}
    assert paths(sample) == paths(all_of_it)
    assert any("payments" in place for on, _ in paths(sample).values() for place in on)


def test_whom_calls_were_for_is_read_only_where_some_are_not_received(reader: Reader) -> None:
    asked = {span.peer for span in read_sample(reader, INTERVAL, 1) if span.kind is Kind.CLIENT}
    assert {"payments", "inventory", ""} <= asked
    assert "catalog" not in asked


def test_one_trace_in_some_is_read_whole(reader: Reader) -> None:
    traces: dict[str, set[str]] = {}
    for span in whole(reader):
        traces.setdefault(span.trace, set()).add(span.id)
    chosen: dict[str, set[str]] = {}
    for span in read_sample(reader, INTERVAL, 4):
        chosen.setdefault(span.trace, set()).add(span.id)
    assert chosen == {trace: traces[trace] for trace in chosen}
    assert len(traces) / 8 < len(chosen) < len(traces) / 2
