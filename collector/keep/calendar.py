"""Tells which day it is, unless the clock has just jumped: what is dropped for its age by a wrong clock is lost.

In: the wall clock, and one that only runs. Out: today, or nothing while the two disagreed of late. Never: a day told
within an hour of a jump.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, date, datetime

log = logging.getLogger("whymesh.collector")

JUMP_S = 600.0
"""More than any correction of a clock that is kept."""
QUIET_S = 3_600.0


def _running() -> float:
    """Seconds, those of a suspended machine included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Calendar:
    """Asked now and then by whoever drops days."""

    def __init__(self, wall: Callable[[], float] = time.time, running: Callable[[], float] = _running) -> None:
        self._wall = wall
        self._running = running
        self._gap = wall() - running()
        self._jumped: float | None = None

    def today(self) -> date | None:
        """In UTC; None while the clock is not to be trusted."""
        wall, running = self._wall(), self._running()
        jump = wall - running - self._gap
        self._gap += jump
        if abs(jump) >= JUMP_S:
            self._jumped = running
            log.warning(
                "the clock jumped by %+.0f s to %s: nothing is dropped for its age for an hour; set the clock right "
                "before that",
                jump,
                datetime.fromtimestamp(wall, UTC).isoformat(timespec="seconds"),
            )
        if self._jumped is not None and running - self._jumped < QUIET_S:
            return None
        return datetime.fromtimestamp(wall, UTC).date()
