"""Takes back what the same hour of other days does too: a daily peak is no symptom, and a nightly lull nobody's fault.

In: shifts and symptoms of two windows, and windows of the same time on other days, in buckets of a minute. Out: the
same, those of the hour without weight. Steps, gauges and refusals are judged without other days.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from rootcause.attribute.links import Ends, LinkShift, mean_gaps
from rootcause.attribute.own_errors import ErrorShift
from rootcause.detect.baseline import Shift
from rootcause.detect.hour import of_the_hour
from rootcause.detect.symptom import Signal, Symptom
from rootcause.judge.evidence import Evidence
from rootcause.load.window import Bucket, Called, Served, Window

Figure = Callable[[Bucket], tuple[float, float]]
Points = dict[float, tuple[float, float]]

_SYMPTOMS: dict[Signal, Figure] = {
    "latency": lambda bucket: (bucket.calls, bucket.total_ms),
    "errors": lambda bucket: (bucket.calls, bucket.errors),
}


class EveryDay:
    """The same time on other days; without any it changes nothing."""

    def __init__(self, days: Sequence[Window], baseline: Window, observed: Window) -> None:
        self._days = days
        self._windows = baseline, observed, *days

    def symptoms(self, symptoms: Iterable[Symptom]) -> list[Symptom]:
        """Those that are not of the hour."""
        return [symptom for symptom in symptoms if not self._entry(symptom)]

    def evidence(self, evidence: Evidence) -> Evidence:
        """Shifts of the hour keep their figures and lose their weight."""
        if not self._days:
            return evidence
        return replace(
            evidence,
            own_time={
                name: _weightless(shift) if self._own_time(name) else shift for name, shift in evidence.own_time.items()
            },
            own_errors={
                name: _harmless(shift) if self._own_errors(name) else shift
                for name, shift in evidence.own_errors.items()
            },
            links={ends: self._link(link) for ends, link in evidence.links.items()},
            drops={ends: drop for ends, drop in evidence.drops.items() if not self._dropped(ends)},
        )

    def _entry(self, symptom: Symptom) -> bool:
        def here(row: Served) -> bool:
            return row.entry and (row.service, row.route) == (symptom.service, symptom.route)

        if symptom.signal in _SYMPTOMS:
            return self._of_the_hour(lambda window: _served(window, here, _SYMPTOMS[symptom.signal]))
        return self._of_the_hour(lambda window: _share(window, here))

    def _own_time(self, service: str) -> bool:
        return self._of_the_hour(
            lambda window: _served(
                window, lambda row: row.service == service, lambda bucket: (bucket.own_calls, bucket.own_ms)
            )
        )

    def _own_errors(self, service: str) -> bool:
        """By all its failures: sums of hours do not tell whose doing they were."""
        return self._of_the_hour(
            lambda window: _served(
                window, lambda row: row.service == service, lambda bucket: (bucket.calls, bucket.errors)
            )
        )

    def _link(self, link: LinkShift) -> LinkShift:
        ends = link.source, link.destination
        time, errors = link.time, link.errors
        if time is not None and self._of_the_hour(lambda window: mean_gaps(window, ends)):
            time = _weightless(time)
        if errors is not None and self._of_the_hour(lambda window: _called(window, ends, _SYMPTOMS["errors"])):
            errors = _harmless(errors)
        return replace(link, time=time, errors=errors)

    def _dropped(self, ends: Ends) -> bool:
        return self._of_the_hour(lambda window: _calls_a_request(window, ends))

    def _of_the_hour(self, figure: Callable[[Window], Points]) -> bool:
        recent, now, *days = (figure(window) for window in self._windows)
        return of_the_hour(recent, now, days)


def _weightless(shift: Shift) -> Shift:
    return replace(shift, excess_ms=0.0, z=0.0)


def _harmless(shift: ErrorShift) -> ErrorShift:
    return replace(shift, excess=0.0, log_chance=0.0)


def _served(window: Window, wanted: Callable[[Served], bool], figure: Figure) -> Points:
    return _points((row for row in window.served if wanted(row)), figure)


def _called(window: Window, ends: Ends, figure: Figure) -> Points:
    """As the caller saw it."""
    rows = (row for row in window.called if row.by_source and (row.source, row.destination) == ends)
    return _points(rows, figure)


def _points(rows: Iterable[Served | Called], figure: Figure) -> Points:
    found: Points = defaultdict(lambda: (0.0, 0.0))
    for row in rows:
        for bucket in row.buckets:
            weight, total = figure(bucket)
            had = found[bucket.start]
            found[bucket.start] = had[0] + weight, had[1] + total
    return dict(found)


def _share(window: Window, wanted: Callable[[Served], bool]) -> Points:
    """Requests of an entry point among all that come from outside."""
    every = _served(window, lambda row: row.entry, lambda bucket: (bucket.calls, 0.0))
    of_it = _served(window, wanted, lambda bucket: (0.0, bucket.calls))
    return {start: (many, of_it.get(start, (0.0, 0.0))[1]) for start, (many, _) in every.items()}


def _calls_a_request(window: Window, ends: Ends) -> Points:
    asked = _served(window, lambda row: row.service == ends[0], lambda bucket: (bucket.calls, 0.0))
    made = _called(window, ends, lambda bucket: (0.0, bucket.calls))
    return {start: (many, made.get(start, (0.0, 0.0))[1]) for start, (many, _) in asked.items()}
