"""`python -m tests.world.jumping MODULE ...`: its clock jumps a year ahead on SIGUSR1, and back on SIGUSR2."""

from __future__ import annotations

import runpy
import signal
import sys
import time

YEAR_S = 365 * 86_400


class Clock:
    """What `time` tells, and how far from the truth."""

    def __init__(self) -> None:
        self._ahead = 0
        self._seconds, self._nanoseconds = time.time, time.time_ns

    def jump(self, number: int, _: object) -> None:
        self._ahead += YEAR_S if number == signal.SIGUSR1 else -YEAR_S

    def time(self) -> float:
        return self._seconds() + self._ahead

    def time_ns(self) -> int:
        return self._nanoseconds() + self._ahead * 10**9


if __name__ == "__main__":
    clock = Clock()
    for signalled in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(signalled, clock.jump)
    time.time, time.time_ns = clock.time, clock.time_ns
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
