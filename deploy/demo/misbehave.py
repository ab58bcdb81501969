"""What can be wrong with one instance of the shop, in the instance itself: slow code, errors, a busy processor.

In: orders on `POST /_fault` of the application's own port. Out: requests that wait longer, fail, or find the
interpreter busy. The mesh is not told: it has to notice.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from dataclasses import dataclass, replace

PERIOD_S = 0.25  # a burst and the pause after it
THREADS = 4


class Broken(Exception):
    """This request fails because somebody asked for failures."""


@dataclass(frozen=True)
class Fault:
    """How an instance misbehaves; the defaults are good behaviour."""

    latency_ms: float = 0.0
    error_rate: float = 0.0
    busy_share: float = 0.0  # of the time in which threads compute for nothing


class Misbehaviour:
    """The faults of one process; `suffer` is called once for each request."""

    def __init__(self) -> None:
        self.fault = Fault()
        self._burning = threading.Event()

    def change(self, **fields: float) -> None:
        """Puts a new fault in force, instead of the old one; raises TypeError for a field there is not."""
        self.fault = replace(Fault(), **fields)
        self._burning.clear()
        self._burning = threading.Event()
        self._burning.set()
        if self.fault.busy_share:
            for _ in range(THREADS):
                threading.Thread(target=_burn, args=(self._burning, self.fault.busy_share), daemon=True).start()

    async def suffer(self) -> None:
        """Waits and fails as the fault says; raises Broken."""
        if self.fault.latency_ms:
            await asyncio.sleep(self.fault.latency_ms * random.uniform(0.8, 1.2) / 1000)
        if random.random() < self.fault.error_rate:
            raise Broken


def _burn(while_set: threading.Event, share: float) -> None:
    """Computes for nothing in bursts, side by side with its like, and leaves pauses in which what piled up is served.

    Meanwhile the code that serves has to share the interpreter lock: a turn of each such thread lasts 5 ms.
    """
    while while_set.is_set():
        into_period = time.perf_counter() % PERIOD_S
        if into_period < share * PERIOD_S:
            sum(i * i for i in range(2_000))
        else:
            time.sleep(PERIOD_S - into_period)
