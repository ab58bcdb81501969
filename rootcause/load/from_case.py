"""Reads a recorded incident into the windows of normal time and of the incident, from whatever it holds.

In: a case. Out: pairs of windows, the one that tells most first: of spans (with these), of series of nodes and
edges, of neither; each with what logs and metrics say beside.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path

from rootcause.load.callees import callees_of
from rootcause.load.case_rest import Pair, Rest, rest_of
from rootcause.load.clocks import on_one_clock
from rootcause.load.edge_rows import read_edges, read_graph
from rootcause.load.from_edges import entry_nodes, window_of_edges
from rootcause.load.from_spans import window_of
from rootcause.load.log_patterns import said
from rootcause.load.log_spans import steps_said
from rootcause.load.log_unsaid import no_longer_said
from rootcause.load.looked import Looked, Sample
from rootcause.load.recorded import EDGES, LOGS, METRICS, SPANS, Case, CaseRefused
from rootcause.load.recorded_spans import spans
from rootcause.load.spans import Span
from rootcause.load.window import Called, Interval, Window

log = logging.getLogger(__name__)

ReadSpans = Callable[[Path], list[Span]]
Graph = Mapping[str, Set[str]]


def windows_of(case: Case, normal_spans: ReadSpans, *, beside: bool = True) -> Iterator[Looked]:
    """Every view of the incident that there are files for; without what is `beside` the calls if so told.

    Raises CaseRefused when there is none, or none can be read.
    """
    rest = rest_of(case) if beside else Rest()
    refused, found = CaseRefused(f"{case.folder}: no file tells of both normal time and the incident"), False
    for has, read in ((case.has(SPANS), _of_spans), (case.has(EDGES), _of_edges)):
        try:
            if has:
                yield read(case, rest, normal_spans)
                found = True
        except CaseRefused as error:
            log.warning("done without: %s", error)
            refused = error
    if beside and (case.has(LOGS) or case.has(METRICS)):
        yield Looked(*_of_neither(case, rest))
    elif not found:
        raise refused


def _of_spans(case: Case, rest: Rest, normal_spans: ReadSpans) -> Looked:
    before = [span for path in case.baseline_files(SPANS) for span in normal_spans(path)]
    since = on_one_clock(spans(case.folder / SPANS))
    rest = rest.of_spans({span.id for span in before}, {span.id for span in since})
    logs = said(*rest.lines)
    callees = callees_of(before)
    normal = window_of(before, case.baseline, logs[0], callees=callees)
    incident = window_of(since, case.incident, logs[1], callees=callees)
    windows = rest.known_as(normal.services | incident.services).added_to((normal, incident), case)
    return Looked(*windows, sample=Sample(_within(before, case.baseline), _within(since, case.incident)))


def _within(spans: Iterable[Span], intervals: Sequence[Interval]) -> tuple[Span, ...]:
    return tuple(span for span in spans if any(span.start_ns / 1e9 in interval for interval in intervals))


def _of_edges(case: Case, rest: Rest, _: ReadSpans) -> Looked:
    graph = _graph(case)
    normally = [row for path in case.baseline_files(EDGES) for row in read_edges(path, case.baseline)]
    incident = read_edges(case.folder / EDGES, case.incident)
    target = case.file.target
    entries = frozenset({target.service}) if target is not None else entry_nodes([*normally, *incident], graph)
    windows = (
        window_of_edges(normally, graph, entries, case.baseline),
        window_of_edges(incident, graph, entries, case.incident),
    )
    known = windows[0].services | windows[1].services
    return Looked(*rest.of_no_spans().known_as(known).added_to(windows, case))


def _of_neither(case: Case, rest: Rest) -> Pair[Window]:
    """Nobody tells of calls; who may call whom is known where there is a call graph."""
    graph = _graph(case)
    called = tuple(Called(False, source, name, "", "", "", ()) for source, names in graph.items() for name in names)
    known = {*graph, *(name for names in graph.values() for name in names)}
    rest = rest.known_as(known or {one.service for part in rest.metered for one in part})
    lines = (rest.lines[0], case.baseline), (rest.lines[1], case.incident)
    windows = [
        Window(part, called=called, steps=(*said, *unsaid))
        for part, said, unsaid in zip(
            (case.baseline, case.incident), steps_said(*lines), no_longer_said(*lines), strict=True
        )
    ]
    return rest.of_no_spans().added_to((windows[0], windows[1]), case)


def _graph(case: Case) -> dict[str, set[str]]:
    return read_graph(case.folder.parent / "graph.csv")
