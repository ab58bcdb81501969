"""How much of the time that each service and link added anybody waited for: what is hidden behind something longer, or
goes on after the answer, holds nobody up.

In: spans of whole requests of normal time and of now, and which services are asked from outside. Out: by service, or by
`source -> destination`, the part (0..1) of its added time that these requests would have been over sooner without; of
what several added side by side, so that none of them alone would have made a difference, what is on the critical path.
Never: a part of what did not become slower, or of requests of which too few were seen.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from typing import TypeVar
from zlib import crc32

from rootcause.attribute.critical_path import Below, children, critical_path
from rootcause.attribute.replay import replayed_ns
from rootcause.load.looked import Sample
from rootcause.load.spans import Kind, Span
from rootcause.load.window import Window

K = TypeVar("K", str, tuple[str, str])

MOST_TRACES = 200
_FEWEST = 10
"""Requests of either time."""
_FEWEST_ALIKE = 3
_ADDED = 0.02
"""What adds less than this part of what requests take is noise, and its place on the path by chance."""


@dataclass(slots=True)
class _Sums:
    """Nanoseconds by place of some requests: on the path, and of all there was."""

    below: Below
    received: list[Span] = field(default_factory=list)
    on: Counter[str] = field(default_factory=Counter)
    all: Counter[str] = field(default_factory=Counter)

    @property
    def requests(self) -> int:
        return len(self.received)

    @property
    def took(self) -> int:
        return sum(request.duration_ns for request in self.received)


def with_path(observed: Window, sample: Sample) -> Window:
    """The window, with what the sample tells of whom requests from outside wait for."""
    entries = {row.service for row in observed.served if row.entry}
    return replace(observed, on_path=on_path(sample.before, sample.now, entries))


def on_path(before: Iterable[Span], now: Iterable[Span], entries: Set[str]) -> Mapping[str, float]:
    """Requests of one name are compared with each other, so that a changed mix of them shifts nothing."""
    usual, seen = _by_name(before, entries), _by_name(now, entries)
    if min(sum(sums.requests for sums in one.values()) for one in (usual, seen)) < _FEWEST:
        return {}
    shift = _Shift()
    for name, sums in seen.items():
        if min(usual[name].requests, sums.requests) >= _FEWEST_ALIKE:
            shift.add(sums, usual[name])
    return shift.parts()


class _Shift:
    """Nanoseconds by which all the requests of now are longer than as many usual ones."""

    def __init__(self) -> None:
        self._seen: list[_Sums] = []
        self._took = self._added = 0.0
        self._on: Counter[str] = Counter()
        self._all: Counter[str] = Counter()
        self._now: Counter[str] = Counter()

    def add(self, now: _Sums, usual: _Sums) -> None:
        """Requests of one name."""
        share = now.requests / usual.requests
        self._seen.append(now)
        self._took += now.took
        self._added += now.took - share * usual.took
        for place in now.all:
            self._now[place] += now.all[place]
            self._on[place] += round(now.on[place] - share * usual.on[place])
            self._all[place] += round(now.all[place] - share * usual.all[place])

    def parts(self) -> Mapping[str, float]:
        """Of what adds enough to speak of."""
        slower = {place: ns for place, ns in self._all.items() if ns > _ADDED * self._took}
        saved = {place: self._saved(place, 1 - ns / self._now[place]) for place, ns in slower.items()}
        together = max(0.0, self._added - sum(saved.values()))
        felt = {place: max(ns, min(self._on[place], together)) for place, ns in saved.items()}
        return {place: max(0.0, min(1.0, felt[place] / ns)) for place, ns in slower.items()}

    def _saved(self, place: str, left: float) -> float:
        """If the place had taken only what is `left` of its time."""
        return sum(
            request.duration_ns - replayed_ns(request, sums.below, {place: left})
            for sums in self._seen
            for request in sums.received
        )


def waited_for(added_ms: Mapping[K, float], parts: Mapping[str, float]) -> dict[K, float]:
    """What is left of what services, or links, added; those that nobody waited for are left out."""
    left = {key: ms * parts.get(key if isinstance(key, str) else " -> ".join(key), 1.0) for key, ms in added_ms.items()}
    return {key: ms for key, ms in left.items() if ms > 0}


def _by_name(spans: Iterable[Span], entries: Set[str]) -> Mapping[tuple[str, str], _Sums]:
    spans = _some(spans)
    below = children(spans)
    found: dict[tuple[str, str], _Sums] = defaultdict(lambda: _Sums(below))
    for request in _entering(spans, entries):
        sums = found[request.service, request.name]
        sums.received.append(request)
        _add(request, below, sums)
    return found


def _some(spans: Iterable[Span]) -> list[Span]:
    """Whole traces, chosen by their ids."""
    traces: dict[str, list[Span]] = defaultdict(list)
    for span in spans:
        traces[span.trace].append(span)
    chosen = sorted(traces, key=lambda trace: crc32(trace.encode()))[:MOST_TRACES]
    return [span for trace in chosen for span in traces[trace]]


def _entering(spans: list[Span], entries: Set[str]) -> Iterator[Span]:
    """Requests of services that are asked from outside, with nothing of such a service above them."""
    known = {(span.trace, span.id): span for span in spans}
    for span in spans:
        if span.service not in entries or (span.kind is not Kind.SERVER and span.parent):
            continue
        above, passed = known.get((span.trace, span.parent)), {span.id}
        while above is not None and above.id not in passed and above.service not in entries:
            passed.add(above.id)
            above = known.get((above.trace, above.parent))
        if above is None:
            yield span


def _add(request: Span, below: Below, sums: _Sums) -> None:
    """What goes on beside has a path of its own."""
    first = critical_path(request, below)
    sums.on.update(first.on)
    sums.all.update(first.on)
    aside, passed = list(first.aside), {request.id}
    while aside:
        span = aside.pop()
        if span.id not in passed:
            passed.add(span.id)
            path = critical_path(span, below)
            sums.all.update(path.on)
            aside += path.aside
