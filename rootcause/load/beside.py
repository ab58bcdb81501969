"""Reads what is too much to be read all the time, once something strays: complaints, steps inside requests, what
instances use up, where they run, how much of the traffic has spans at all, and the same time of other days.

In: an open Reader and both windows. Out: the windows with all of that. It supports a verdict or takes one back, and
makes none where nothing strays. Never: an evaluation that fails because a part of it cannot be read in time.
"""

from __future__ import annotations

from dataclasses import replace

from collector.store.client import Reader
from rootcause.load.from_amounts import amounts_around
from rootcause.load.from_captured import captured
from rootcause.load.from_history import History
from rootcause.load.from_logs import Complaints
from rootcause.load.looked import Looked
from rootcause.load.placed import Placed
from rootcause.load.sampled import Sampled
from rootcause.load.window import Interval, Window

HEARD_S = 60.0
"""Complaints are counted over this time."""


class Beside:
    """What was read of normal time is kept while normal time stands still."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._complaints = Complaints(reader)
        self._sampled = Sampled(reader)
        self._history = History(reader)
        self._placed = Placed(reader)

    def glance(self, baseline: Window, observed: Window, now: float) -> Looked:
        """With nothing but the steps inside requests. Raises StoreUnavailable."""
        baseline, observed, sample = self._sampled.look(baseline, observed, now)
        return Looked(baseline, observed, sample=sample)

    def look(self, baseline: Window, observed: Window, now: float) -> Looked:
        """Raises StoreUnavailable."""
        question = observed.intervals[-1]
        recent = Interval(question.end - HEARD_S, question.end)
        usual, told = self._complaints.steps(baseline.intervals, recent)
        before, since = amounts_around(self._reader, baseline.intervals, now)
        baseline, observed, sample = self._sampled.look(baseline, self._placed.look(observed, now), now)
        return Looked(
            replace(baseline, steps=(*baseline.steps, *usual), amounts=before),
            replace(
                observed,
                steps=(*observed.steps, *told),
                amounts=since,
                captured=captured(self._reader, observed, now),
            ),
            self._history.days(question),
            sample,
        )
