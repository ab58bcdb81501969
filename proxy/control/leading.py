"""Has one of several control planes over the same state lead, and the others serve what it puts in force.

In: the lease, the time. Out: a control plane that takes edits and changes, or one that follows the state epoch by
epoch and takes over once the leader is gone. Never: a proxy that notices.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from proxy.control.epochs.begin import begin, joined
from proxy.control.epochs.in_force import InForce
from proxy.control.epochs.written import Written
from proxy.control.errors import ConfigRefused, ControlError
from proxy.control.sources import Source, actor_of
from proxy.control.state.lease import HOLDS_S
from proxy.control.state.state import State

log = logging.getLogger("whymesh.control")

LOOK_S = 0.2
"""How often one that follows looks for a newer epoch."""


class Leadership:
    """One control plane's part in it; `lead` is called when it takes over."""

    def __init__(
        self,
        state: State,
        in_force: InForce,
        source: Source | None,
        url: str,
        lead: Callable[[], Awaitable[None]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._state, self._in_force, self._source, self._url, self._clock = state, in_force, source, url, clock
        self._asked, self._lead = clock(), lead

    async def run(self) -> None:
        """Until cancelled. A state that cannot be read or written for a while changes nothing that is in force."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
            except (ControlError, sqlite3.Error) as error:
                log.error("the state: %s", error)

    async def look(self) -> None:
        """Holds on to the lease, takes over one that has run out, or follows."""
        now = self._clock()
        if not self._in_force.leads and self._state.newest() != self._in_force.epoch:
            await self._in_force.catch_up(joined(self._state))
        if self._in_force.leads and now - self._asked < HOLDS_S / 3:
            return
        self._asked = now
        leads = self._state.lease.take(self._url, now)
        if leads and not self._in_force.leads:
            log.warning("this control plane leads now")
            known = self._in_force.known
            there = begin(self._state, self._files(), known, actor_of(self._source), datetime.now(UTC))
            await self._in_force.take_over(there)
            await self._lead()
        elif self._in_force.leads and not leads:
            log.warning("another control plane leads: %s", self._state.lease.leader())
            self._in_force.leads = False

    def _files(self) -> tuple[Written, ...] | None:
        """What the source says; None where that is not to be taken, or not known yet."""
        if self._source is None:
            return ()
        try:
            return self._source.read()
        except ConfigRefused as error:
            log.error("the files are not taken, what was in force stays:\n%s", error)
            return None
