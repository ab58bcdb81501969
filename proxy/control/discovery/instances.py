"""Registrations as they come and go: the leases, the table that keeps them, and what is in force, held together.

In: registrations, renewals, farewells, the passing of time. Out: discoveries to put in force.
Never: a registration that is in force and not kept, or one that keeps others from being taken.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace

from proxy.control.discovery.assemble import refusals
from proxy.control.discovery.instance import Registration
from proxy.control.discovery.kept import KeptRegistrations
from proxy.control.discovery.leases import Lease, Leases, Taken
from proxy.control.epochs.in_force import InForce

log = logging.getLogger("whymesh.control")


class Instances:
    """All methods run on the event loop; `clock` gives seconds that only grow."""

    def __init__(self, leases: Leases, kept: KeptRegistrations, in_force: InForce, clock: Callable[[], float]) -> None:
        self._leases, self._kept, self._in_force, self._clock = leases, kept, in_force, clock
        self._sooner = asyncio.Event()

    def begin_again(self) -> None:
        """Takes on the registrations of a control plane that led before: all leases begin anew."""
        self._leases = Leases.begun(self._in_force.discovered.registrations, self._clock())
        self._sooner.set()

    def listed(self) -> list[tuple[Lease, float, str | None]]:
        """Every lease, the seconds it has left, and why it is not in force if so."""
        now, refused = self._clock(), self._in_force.refused
        return [(each, each.ends - now, refused.get(each.registration.instance)) for each in self._leases.held]

    async def register(self, registration: Registration, actor: str) -> None:
        """Begins a lease and puts the instance in force.

        Raises Taken when name or addresses are another's, NotLeading.
        """
        self._in_force.lead()
        self._leases.check(registration)
        others = (one for one in self._leases.registrations if one.instance != registration.instance)
        if why := refusals(self._in_force.written, (*others, registration)).get(registration.instance):
            raise Taken(why)
        if self._leases.take(registration, self._clock()):
            self._kept.keep(registration)
        self._sooner.set()
        await self._discover(actor)

    def renew(self, instance: str) -> Lease:
        """Lets a lease begin anew; raises Unknown, NotLeading."""
        self._in_force.lead()
        return self._leases.renew(instance, self._clock())

    async def leave(self, instance: str, actor: str) -> None:
        """Ends a lease and takes the instance out; raises Unknown, NotLeading."""
        self._in_force.lead()
        self._leases.give_up(instance)
        self._kept.forget([instance])
        await self._discover(actor)

    async def expire(self) -> None:
        """Takes out, from now until cancelled, every instance whose lease ends."""
        while True:
            self._sooner.clear()
            end = self._leases.next_end()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._sooner.wait(), None if end is None else max(end - self._clock(), 0.01))
            if not self._in_force.leads:
                self._leases = Leases()
            elif ended := self._leases.expire(self._clock()):
                names = [registration.instance for registration in ended]
                log.warning("not renewed, and taken out: %s", ", ".join(names))
                self._kept.forget(names)
                await self._discover("lease ended")

    async def _discover(self, actor: str) -> None:
        await self._in_force.discover(
            replace(self._in_force.discovered, registrations=self._leases.registrations), actor
        )
