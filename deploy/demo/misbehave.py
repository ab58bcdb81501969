"""What can be wrong with one instance of the shop, in the instance itself: slow code, errors, a busy processor.

In: orders on `POST /_fault` of the application's own port. Out: requests that wait longer, fail, or find the
interpreter busy. The mesh is not told: it has to notice.
"""

from __future__ import annotations

import asyncio
import random
import threading
from dataclasses import dataclass, replace


class Broken(Exception):
    """This request fails because somebody asked for failures."""


@dataclass(frozen=True)
class Fault:
    """How an instance misbehaves; the defaults are good behaviour."""

    latency_ms: float = 0.0
    error_rate: float = 0.0
    burning_threads: int = 0


class Misbehaviour:
    """The faults of one process; `suffer` is called once for each request."""

    def __init__(self) -> None:
        self.fault = Fault()
        self._burning = threading.Event()

    def change(self, **fields: float) -> None:
        """Puts a new fault in force, instead of the old one; raises TypeError for a field there is not."""
        self.fault = replace(Fault(), **fields)  # type: ignore[arg-type]
        self._burning.clear()
        self._burning = threading.Event()
        self._burning.set()
        for _ in range(int(self.fault.burning_threads)):
            threading.Thread(target=_burn, args=(self._burning,), daemon=True).start()

    async def suffer(self) -> None:
        """Waits and fails as the fault says; raises Broken."""
        if self.fault.latency_ms:
            await asyncio.sleep(self.fault.latency_ms * random.uniform(0.8, 1.2) / 1000)
        if random.random() < self.fault.error_rate:
            raise Broken


def _burn(while_set: threading.Event) -> None:
    """Computes for nothing: each such thread takes its turn at the interpreter lock from the threads that serve."""
    while while_set.is_set():
        sum(i * i for i in range(2_000))
