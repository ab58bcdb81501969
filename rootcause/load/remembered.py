"""Keeps the window of normal time for a while: a minute more or less of ten changes nothing in it, and reading it is
most of what an evaluation costs.

In: a way to load windows, the intervals that are normal now. Out: their window, or one of some seconds before.
Never: a remembered window across the edge of an incident, or while normal time is still getting to be known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rootcause.load.window import Interval, Window

REMEMBERED_S = 60.0
"""How far normal time may have moved on since it was read."""
KNOWN_S = 300.0
"""Normal time of less than this is read each time: each bucket more makes it better known."""


class Remembered:
    """The last window of normal time. `load` reads requests and gauges of the intervals."""

    def __init__(self, load: Callable[[Sequence[Interval], Sequence[Interval]], Window]) -> None:
        self._load = load
        self._kept: Window | None = None

    def window(self, intervals: Sequence[Interval]) -> Window:
        """Raises what loading raises."""
        if self._kept is None or not _still_normal(self._kept, intervals):
            self._kept = self._load(intervals, intervals)
        return self._kept


def _still_normal(kept: Window, wanted: Sequence[Interval]) -> bool:
    """Whether only the outer ends have moved on, and not far."""
    had = kept.intervals
    if had == tuple(wanted):
        return True
    if not wanted or len(had) != len(wanted) or kept.covered_s < KNOWN_S:
        return False
    inner_had = [edge for one in had for edge in (one.start, one.end)][1:-1]
    inner = [edge for one in wanted for edge in (one.start, one.end)][1:-1]
    moved = (wanted[0].start - had[0].start, wanted[-1].end - had[-1].end)
    return inner == inner_had and all(0 <= by < REMEMBERED_S for by in moved)
