"""Puts in force what is written and what was discovered, as one: each difference is an epoch, told of and kept.

In: configurations as they are written, discoveries as they are made. Out: registries to the publisher, the epoch to
disk, changes to the collector. Never: an epoch in which nothing is different.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from proxy.control.changes import changes_between
from proxy.control.discovery.assemble import Discovered, assemble
from proxy.control.publish import Publisher
from proxy.control.read import Configuration
from proxy.control.registry import Registry
from proxy.control.state import EpochFile, digest
from proxy.control.telemetry import Telemetry
from proxy.control.trust import Trust

log = logging.getLogger("whymesh.control")


class InForce:
    """The one place where an epoch begins once the control plane runs."""

    def __init__(
        self,
        written: Configuration,
        discovered: Discovered,
        publisher: Publisher,
        epochs: EpochFile,
        telemetry: Telemetry,
    ) -> None:
        self.written, self.discovered = written, discovered
        self.trust: Trust | None = None
        self.refused: dict[str, str] = {}
        """Registrations that are not in force, by instance, and why."""
        self.followers: list[Callable[[Registry], None]] = []
        """Called with each registry that comes in force."""
        self._publisher, self._epochs, self._telemetry = publisher, epochs, telemetry
        self._alone = asyncio.Lock()

    async def write(self, written: Configuration, actor: str) -> None:
        """Takes what is written now; raises ConfigRefused, and what was in force stays."""
        assemble(written, self.discovered)
        self.written = written
        self._publisher.refuse([])
        await self._put(actor)

    async def discover(self, discovered: Discovered, actor: str) -> None:
        """Takes what is known now. Of those who come while one is put in force, the first puts all in force."""
        self.discovered = discovered
        await self._put(actor)

    async def believe(self, trust: Trust | None, actor: str) -> None:
        """Takes what the authority of the mesh says now."""
        self.trust = trust
        await self._put(actor)

    async def _put(self, actor: str) -> None:
        async with self._alone:
            made = assemble(self.written, self.discovered)
            for instance in made.refused.keys() - self.refused.keys():
                log.error("instance %s is left out: %s", instance, made.refused[instance])
            self.refused = made.refused
            before, registry = self._publisher.registry, replace(made.registry, trust=self.trust)
            if registry == before:
                return
            epoch = self._publisher.epoch + 1
            self._epochs.keep(epoch, digest(registry))
            await self._publisher.publish(registry, epoch)
            for follower in self.followers:
                follower(registry)
            for change in changes_between(before, registry):
                log.info("epoch %d: %s", epoch, change.summary)
                self._telemetry.report(change, epoch, actor)
