"""Looks at single requests of a culprit: when its trouble began, and what the bad ones have in common.

In: an open Reader, events of incidents and what the evaluation saw. Out: a detail for each that was looked at. An
incident is looked at when it opens, and again for a minute while nothing in common was found, for by then there are
more bad requests; so is one that an earlier run left open. Never: an incident that does not open because the store
does not tell.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from collector.store.client import Reader
from collector.store.errors import QueryFailed, StoreUnavailable
from rootcause.attribute.in_common import in_common
from rootcause.detect.onset import began
from rootcause.explain.detail import Common, Detail
from rootcause.explain.headline import by_errors
from rootcause.incidents.lifecycle import Event, Step
from rootcause.incidents.vigil import Sight
from rootcause.judge.diagnose import turned_to
from rootcause.load.asked import Asked, each_of
from rootcause.load.read_moments import read_moments
from rootcause.load.read_traits import read_traits
from rootcause.load.window import STEP_S, Interval, Window, calls

log = logging.getLogger(__name__)

USUAL_S = 60.0
"""So long before the time in question requests are looked at one by one."""
LONGEST_S = 300.0
"""And no longer after its beginning."""
AGAIN_S = 15.0
FOR_S = 60.0


@dataclass(slots=True)
class _Looked:
    """`start` is when the time in question began, as the incident opened; looked at from `first` on, last `at`."""

    start: float
    first: float
    at: float
    found: bool = False


class SingleRequests:
    """Remembers which incidents it looked at."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._looked: dict[str, _Looked] = {}

    def look(self, events: Iterable[Event], sight: Sight) -> dict[str, Detail]:
        """By culprit, of incidents that opened, and of open ones of which more is known now."""
        details = {}
        for event in events:
            looked = self._due(event, sight)
            if looked is None:
                continue
            culprit = event.incident.culprit
            try:
                detail = self._detail(culprit, looked.start, sight)
            except (StoreUnavailable, QueryFailed) as error:
                log.warning("single requests of %s are not looked at: %s", culprit, error)
                continue
            looked.found = detail.common is not None
            details[culprit] = detail
        return details

    def _due(self, event: Event, sight: Sight) -> _Looked | None:
        id, now = event.incident.id, sight.now
        if event.step in (Step.OPENED, Step.REOPENED):
            self._looked[id] = _Looked(sight.observed.start, now, now)
        elif event.step is Step.RESOLVED:
            self._looked.pop(id, None)
            return None
        elif id not in self._looked:
            self._looked[id] = _Looked(event.incident.opened_at - sight.observed.seconds, now, now)
        else:
            looked = self._looked[id]
            if looked.found or now - looked.at < AGAIN_S or now - looked.first > FOR_S:
                return None
            looked.at = now
        return self._looked[id]

    def _detail(self, culprit: str, start: float, sight: Sight) -> Detail:
        verdict = turned_to(culprit, sight.verdict, sight.baseline, sight.observed)
        narrowed, callers = verdict.narrowed, sorted({link.source for link in verdict.links})
        interval = Interval(start - USUAL_S, min(sight.now, start + LONGEST_S))
        asked = Asked(
            culprit,
            interval,
            tuple(callers),
            narrowed.version,
            narrowed.instance,
            narrowed.route,
            each_of(_rate(culprit, sight.observed) * interval.seconds),
            tuple(sorted(_entries(sight.observed) - {culprit})),
        )
        failing = by_errors(verdict.suspects[0])
        usual_until = start - STEP_S
        moments = read_moments(self._reader, asked, usual_until, by_errors=failing)
        onset = began(moments)
        since = onset.at if onset is not None else start
        found = in_common(moments, read_traits(self._reader, asked), since, usual_until) if moments else None
        common = Common(found, asked, Interval(since, interval.end), failing) if found is not None else None
        return Detail(onset, common)


def _rate(service: str, observed: Window) -> float:
    """Requests of the service, in a second."""
    received = sum(calls(row.buckets) for row in observed.served if row.service == service)
    return received / observed.seconds


def _entries(observed: Window) -> set[str]:
    return {row.service for row in observed.served if row.entry}
