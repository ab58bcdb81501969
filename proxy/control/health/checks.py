"""Checks every instance that is to be checked, each in its turn, and has those left out that are not well.

In: registries as they come in force, reports of instances. Out: verdicts, as soon as one is different.
Never: more than so many questions at once. The control plane asks: it is there for registered and written instances
alike, sees what callers see, and has the libraries that a sidecar is too small for.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from proxy.control.addresses import asked_at
from proxy.control.documents.health import HealthSpec
from proxy.control.health.leave_out import Verdict, verdict
from proxy.control.health.probe import ask
from proxy.control.health.standing import Standing, after
from proxy.control.registry import Registry

log = logging.getLogger("whymesh.control")

AT_ONCE = 64


@dataclass(frozen=True)
class _Check:
    """How an instance is checked, and where."""

    spec: HealthSpec
    place: str


@dataclass
class _Checked:
    """An instance under check; a report wakes the task that waits for one."""

    check: _Check
    standing: Standing
    reported: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Checks:
    """All methods run on the event loop. `machine` is the name of this one, `clock` gives seconds that only grow."""

    def __init__(self, machine: str, clock: Callable[[], float]) -> None:
        self._machine, self._clock = machine, clock
        self._checked: dict[str, _Checked] = {}
        self._registry: Registry | None = None
        self._different = asyncio.Event()
        self._turns = asyncio.Semaphore(AT_ONCE)
        self.verdict = Verdict({}, frozenset())

    def follow(self, registry: Registry) -> None:
        """Checks the instances of this registry from now on; what is known of those that were checked stays."""
        self._registry = registry
        wanted = {
            endpoint.instance: _Check(service.spec.health, asked_at(endpoint, self._machine))
            for service, endpoint in registry.instances()
            if service.spec.health
        }
        for instance in [name for name, one in self._checked.items() if wanted.get(name) != one.check]:
            self._stop(self._checked.pop(instance))
        for instance in wanted.keys() - self._checked.keys():
            one = _Checked(wanted[instance], Standing("unknown", self._clock()))
            self._checked[instance] = one
            one.task = asyncio.create_task(
                self._watch(instance, one) if one.check.spec.ttl else self._ask(instance, one)
            )
        self._different.set()

    def standing(self, instance: str) -> Standing | None:
        """What is thought of an instance; None when it is not checked."""
        one = self._checked.get(instance)
        return one.standing if one else None

    def report(self, instance: str, complaint: str | None) -> bool:
        """Takes what an instance says of itself; False when its Service does not go by reports (`health.ttl`)."""
        one = self._checked.get(instance)
        if one is None or one.check.spec.ttl is None:
            return False
        self._hear(instance, one, complaint, at_once=True)
        one.reported.set()
        return True

    async def run(self, tell: Callable[[Verdict], Awaitable[None]]) -> None:
        """Tells of each verdict that is different from the one before, from now until cancelled."""
        try:
            while True:
                await self._different.wait()
                self._different.clear()
                standings = {instance: one.standing for instance, one in self._checked.items()}
                new = verdict(self._registry.services if self._registry else (), standings)
                if new == self.verdict:
                    continue
                for service in new.panicking - self.verdict.panicking:
                    log.error("%s: too few instances are well to leave any out; all are called", service)
                self.verdict = new
                await tell(new)
        finally:
            for one in self._checked.values():
                self._stop(one)

    async def _ask(self, instance: str, one: _Checked) -> None:
        """Asks at once, then in intervals that differ by a fifth, so that instances do not fall into step."""
        spec = one.check.spec
        while True:
            async with self._turns:
                complaint = await ask(spec, one.check.place)
            self._hear(instance, one, complaint)
            await asyncio.sleep(spec.interval / 1_000 * random.uniform(0.8, 1.0))  # noqa: S311  (jitter is no secret)

    async def _watch(self, instance: str, one: _Checked) -> None:
        """Waits for reports; silence for `ttl` is one, too."""
        silence_s = (one.check.spec.ttl or 0) / 1_000
        while True:
            one.reported.clear()
            try:
                await asyncio.wait_for(one.reported.wait(), silence_s)
            except TimeoutError:
                self._hear(instance, one, f"has not reported for {silence_s:g} s", at_once=True)

    def _hear(self, instance: str, one: _Checked, complaint: str | None, at_once: bool = False) -> None:
        before, spec = one.standing, one.check.spec
        passes, fails = (1, 1) if at_once else (spec.passes, spec.fails)
        one.standing = after(before, complaint, self._clock(), passes, fails)
        if one.standing.state != before.state:
            log.info("instance %s is %s%s", instance, one.standing.state, f": {complaint}" if complaint else "")
            self._different.set()

    def _stop(self, one: _Checked) -> None:
        if one.task:
            one.task.cancel()
