"""Has the proxies of some services record every request for a while, whatever their settings say.

In: orders with an end, the passing of time. Out: discoveries to put in force; when the time is over, the settings hold
again by themselves. Never: an order that outlives its end, also when the control plane was away then.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping

from proxy.control.documents import Service
from proxy.control.epochs.in_force import InForce
from proxy.control.errors import NoDocument
from proxy.control.registry import Registry

log = logging.getLogger("whymesh.control")

LONGEST_S = 3_600.0


class Recording:
    """All methods run on the event loop; `clock` gives Unix seconds, which a restart goes on with."""

    def __init__(self, in_force: InForce, clock: Callable[[], float]) -> None:
        self._in_force, self._clock = in_force, clock
        self._sooner = asyncio.Event()

    def follow(self, _: Registry) -> None:
        """What is in force is new: there may be another end to wait for."""
        self._sooner.set()

    @property
    def until(self) -> Mapping[str, float]:
        """When it ends, by service."""
        return self._in_force.known.recording

    async def order(self, services: Iterable[str], seconds: float, actor: str) -> None:
        """Lasts at least so long from now on; raises NoDocument, NotLeading."""
        self._in_force.lead()
        end, asked = self._clock() + seconds, dict.fromkeys(services)
        known = [one.full_name for one in self._in_force.written.documents if isinstance(one, Service)]
        if stranger := next((name for name in asked if name not in known), None):
            raise NoDocument(f"no Service {stranger} is in the configuration; known: {', '.join(known)}")
        longer = {name: max(end, self.until.get(name, 0.0)) for name in asked}
        await self._in_force.record({**self.until, **longer}, actor)

    async def end(self, service: str, actor: str) -> None:
        """The settings hold again; raises NoDocument, NotLeading."""
        self._in_force.lead()
        if service not in self.until:
            raise NoDocument(f"nobody ordered that {service} records everything")
        await self._in_force.record({name: end for name, end in self.until.items() if name != service}, actor)

    async def expire(self) -> None:
        """Ends, from now until cancelled, every order when its time is over."""
        while True:
            self._sooner.clear()
            soonest = min(self.until.values(), default=None)
            wait = None if soonest is None else max(soonest - self._clock(), 0.01)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._sooner.wait(), wait)
            now = self._clock()
            over = [name for name, end in self.until.items() if end <= now]
            if over and self._in_force.leads:
                log.info("recorded by their settings again: %s", ", ".join(over))
                left = {name: end for name, end in self.until.items() if name not in over}
                await self._in_force.record(left, "time over")
