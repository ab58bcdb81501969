"""Reads some whole traces of normal time and of the time in question, for what roll-ups do not hold: what requests do
inside of a service, what they log there, and whom they wait for.

In: an open Reader, both windows. Out: the steps of both, and the spans themselves. A trace is of the sample by its id,
so that all of its spans are, and the same ones whenever it is asked. Never: more than MOST_TRACES traces and MOST_SPANS
spans of a window, however busy the mesh is.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from math import ceil

from collector.store.client import Reader
from collector.store.errors import QueryFailed
from rootcause.load.alike import alike
from rootcause.load.callees import callees_of
from rootcause.load.from_spans import window_of
from rootcause.load.looked import NO_SAMPLE, Sample
from rootcause.load.read_sample import AROUND_S, MOST_SAMPLED, read_sample
from rootcause.load.request_lines import Asked, RequestLines
from rootcause.load.spans import Span
from rootcause.load.window import STEP_S, Interval, Step, Window, calls

log = logging.getLogger(__name__)

MOST_TRACES = 400
NORMAL_S = 120.0
"""Of normal time the end, in which requests did what they did before the trouble."""
ENOUGH = 10_000
"""Requests in it are enough to choose from: in a busy mesh less of normal time is read, which costs by the second."""
_REPRESENTATIVE = 0.5
"""Where fewer of the requests counted have their spans stored, those that have are the odd ones."""


class Sampled:
    """The sample of normal time is kept for as long as normal time stands still."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._lines = RequestLines(reader)
        self._kept: tuple[tuple[Interval, int], tuple[Span, ...]] | None = None

    def look(self, baseline: Window, observed: Window, now: float) -> tuple[Window, Window, Sample]:
        """Both windows with steps, as far as the spans stored tell them. Raises StoreUnavailable."""
        try:
            return self._look(baseline, observed, now)
        except QueryFailed as error:
            log.warning("what requests do inside is not known: %s", error)
            return baseline, observed, NO_SAMPLE

    def _look(self, baseline: Window, observed: Window, now: float) -> tuple[Window, Window, Sample]:
        normal = normal_stretch(baseline, observed)
        question = Interval(observed.start, min(observed.end, now - AROUND_S))
        if normal is None or question.seconds <= 0:
            return baseline, observed, NO_SAMPLE
        usual, many_usual = self._normal(baseline, normal)
        seen, many_seen = self._read(observed, question)
        sample = Sample(usual, seen)
        callees = callees_of(usual)
        then, lately = self._lines.said(Asked(usual, _around(normal)), Asked(seen, _around(question)))
        both = alike(
            window_of(then.spans, [normal], then.said, callees=callees),
            window_of(lately.spans, [question], lately.said, callees=callees),
        )
        before = _steps(both[0], baseline, normal, many_usual * then.one_in)
        since = _steps(both[1], observed, question, many_seen * lately.one_in)
        if not before or not since:
            return baseline, observed, sample
        return (
            replace(baseline, steps=(*baseline.steps, *before)),
            replace(observed, steps=(*observed.steps, *since)),
            sample,
        )

    def _normal(self, baseline: Window, normal: Interval) -> tuple[tuple[Span, ...], int]:
        each = _one_in(baseline, normal)
        if self._kept is None or self._kept[0] != (normal, each):
            self._kept = (normal, each), self._read(baseline, normal)[0]
        return self._kept[1], each

    def _read(self, window: Window, interval: Interval) -> tuple[tuple[Span, ...], int]:
        each = _one_in(window, interval)
        return tuple(read_sample(self._reader, interval, each)), each


def _around(interval: Interval) -> Interval:
    return Interval(interval.start - AROUND_S, interval.end + AROUND_S)


def normal_stretch(baseline: Window, observed: Window) -> Interval | None:
    """The end of normal time before the time in question, in whole buckets: shorter the more requests there are."""
    before = [part for part in baseline.intervals if part.start < observed.start]
    if not before:
        return None
    last = max(before, key=lambda part: part.end)
    end = min(last.end, observed.start)
    stretch = Interval(max(last.start, end - NORMAL_S), end)
    share = ENOUGH / max(ENOUGH, _requests(baseline, stretch))
    return Interval(max(stretch.start, end - STEP_S * ceil(share * stretch.seconds / STEP_S)), end)


def _one_in(window: Window, interval: Interval) -> int:
    """One trace of so many is within both bounds: a span for each request received, and one for each call made."""
    traces = _requests(window, interval)
    rows = [row.buckets for row in window.served] + [row.buckets for row in window.called if row.by_source]
    spans = sum(calls(bucket for bucket in buckets if bucket.start in interval) for buckets in rows)
    return max(1, ceil(traces / MOST_TRACES), ceil(2 * spans / MOST_SAMPLED))


def _requests(window: Window, interval: Interval) -> int:
    """From outside."""
    return sum(calls(b for b in row.buckets if b.start in interval) for row in window.served if row.entry)


def _steps(sampled: Window, counted: Window, interval: Interval, weight: float) -> Sequence[Step]:
    """Each standing for as many requests as it takes traces to find one in the sample; none where the spans stored are
    no fair sample of the requests counted."""
    if sampled.entry_calls * weight < _REPRESENTATIVE * _requests(counted, interval):
        return ()
    return [replace(step, weight=weight) for step in sampled.steps]
