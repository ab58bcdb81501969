"""Puts the log lines of sampled requests where they were written: a pattern and how often, by span.

In: an open Reader, the spans of whole traces of normal time and of the time in question. Out: what was said in the
spans of both, by the same patterns. What was said in normal time is kept while it is the same. A line whose span is not
stored, or not named, is of its service's first span in the trace. Never: an evaluation that fails for want of lines.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import partial

from collector.store.client import Reader
from collector.store.errors import QueryFailed
from rootcause.load.heard import heard
from rootcause.load.log_patterns import Log, Patterns, Placed, Said, by_span
from rootcause.load.read_lines import MOST_LINES, TracedLine, read_instances, read_lines
from rootcause.load.spans import Span
from rootcause.load.window import Interval

log = logging.getLogger(__name__)

MOST_TRACES = 1_000
FEWEST_TRACES = 25
"""Of fewer it is not worth while to know what is said in them."""
_FEWER = 4
"""Where too much is said in the traces asked for, one in so many is asked for."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """Spans of one in so many of the traces asked for, and what was said in them."""

    spans: tuple[Span, ...]
    said: Said = field(default_factory=dict)
    one_in: float = 1.0


@dataclass(frozen=True, slots=True)
class Asked:
    """Spans of whole traces, and when their lines were written."""

    spans: tuple[Span, ...]
    within: Interval


@dataclass(frozen=True, slots=True)
class _Listened:
    spans: tuple[Span, ...]
    lines: tuple[Placed, ...]
    one_in: float


class RequestLines:
    """Patterns are new when normal time is another: they only grow wider."""

    def __init__(self, reader: Reader, most_lines: int = MOST_LINES) -> None:
        self._reader = reader
        self._most = most_lines
        self._fit = MOST_TRACES
        """Of so many traces it was not too much the last time."""
        self._patterns = Patterns()
        self._kept: tuple[Asked, _Listened | None] | None = None

    def said(self, usual: Asked, seen: Asked) -> tuple[Spoken, Spoken]:
        """What was said in each; nothing in either where the lines of one are not known. Raises StoreUnavailable."""
        then = self._normal(usual)
        now = self._listen(seen) if then is not None else None
        if then is None or now is None:
            return Spoken(usual.spans), Spoken(seen.spans)
        try:
            lines = heard(then.spans, then.lines, now.spans, now.lines, partial(self._instances, seen.within))
        except QueryFailed as error:
            log.warning("whether all that requests log is heard is not known: %s", error)
            return Spoken(usual.spans), Spoken(seen.spans)
        return (
            Spoken(then.spans, by_span(lines[0]), then.one_in),
            Spoken(now.spans, by_span(lines[1]), now.one_in),
        )

    def _normal(self, usual: Asked) -> _Listened | None:
        if self._kept is None or self._kept[0].spans is not usual.spans:
            self._patterns = Patterns()
            self._kept = usual, self._listen(usual)
        return self._kept[1]

    def _instances(self, within: Interval, services: Set[str], spans: Sequence[Span]) -> dict[str, str]:
        traces = sorted({span.trace for span in spans if span.service in services})
        return read_instances(self._reader, within, services, traces)

    def _listen(self, asked: Asked) -> _Listened | None:
        # The last letters of an id are random also where the first are the time.
        traces = sorted({span.trace for span in asked.spans}, key=lambda id: id[::-1])
        many = min(len(traces), self._fit)
        try:
            lines = read_lines(self._reader, asked.within, traces[:many], self._most)
            while lines is None and many >= _FEWER * FEWEST_TRACES:
                many //= _FEWER
                lines = read_lines(self._reader, asked.within, traces[:many], self._most)
        except QueryFailed as error:
            log.warning("what requests log is not known: %s", error)
            return None
        if lines is None:
            log.warning("what requests log is not known: it is more than %d lines in %d requests", self._most, many)
            return None
        self._fit = MOST_TRACES if len(lines) * _FEWER < self._most else max(many, FEWEST_TRACES)
        kept = set(traces[:many])
        spans = asked.spans if many == len(traces) else tuple(span for span in asked.spans if span.trace in kept)
        return _Listened(spans, tuple(self._patterns.place(placed(lines, spans))), len(traces) / max(many, 1))


def placed(lines: Iterable[TracedLine], spans: Iterable[Span]) -> Iterator[Log]:
    """Each line in a span that is known; without one that its service has no span in the trace of."""
    known: set[str] = set()
    first: dict[tuple[str, str], Span] = {}
    for span in spans:
        known.add(span.id)
        held = first.get((span.trace, span.service))
        if held is None or span.start_ns < held.start_ns:
            first[span.trace, span.service] = span
    for line in lines:
        if line.log.span in known:
            yield line.log
        elif (line.trace, line.log.service) in first:
            yield replace(line.log, span=first[line.trace, line.log.service].id)
