"""Holds the configuration in force and hands each proxy its snapshot as soon as there is a newer one for it.

In: registries as they are accepted, acknowledgements from proxies. Out: snapshots by proxy, who serves which epoch.
Never: a broken configuration; the last good one stays in force and the mistake is shown beside it. And no snapshot
that is as the one before: a proxy that has nothing to do with a change does not hear of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import ValidationError

from proxy.control.compile.compiler import Compiler
from proxy.control.errors import ConfigRefused
from proxy.control.flush import FlushOrders
from proxy.control.registry import Registry
from proxy.control.standings import Acknowledgement, Standing
from proxy.snapshot import Snapshot


@dataclass(frozen=True)
class Flush:
    """Traces to send what is kept of."""

    traces: list[str]


@dataclass(frozen=True)
class Due:
    """What one proxy has to serve, and since when."""

    snapshot: Snapshot
    since: datetime


@dataclass(frozen=True)
class Prepared:
    """A registry with a snapshot for every proxy."""

    registry: Registry
    epoch: int
    due: dict[str, Due]
    compiler: Compiler

    @property
    def told(self) -> list[str]:
        """Those who get a snapshot that they did not have before."""
        return [name for name, due in self.due.items() if due.snapshot.epoch == self.epoch]


class Publisher:
    """All methods run on the event loop; raises ConfigRefused when there is a proxy that nothing can be said to."""

    def __init__(
        self, registry: Registry, epoch: int, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._clock = clock
        self._flushes = FlushOrders()
        self._newer = asyncio.Event()
        self.standings: dict[str, Standing] = {}
        self.elsewhere: dict[str, Standing] = {}
        """What other control planes over the same state know of their proxies."""
        self.share: Callable[[list[str]], None] = _to_nobody
        """Tells the others of traces to flush."""
        self.mistakes: list[str] = []
        self._now = Prepared(registry, epoch, {}, Compiler(registry))
        self._now = self.prepare(registry, epoch)

    @property
    def registry(self) -> Registry:
        """The registry in force."""
        return self._now.registry

    @property
    def epoch(self) -> int:
        """The epoch in force."""
        return self._now.epoch

    @property
    def due(self) -> dict[str, Due]:
        """What each proxy has to serve; its epoch is that of its last change."""
        return self._now.due

    def prepare(self, registry: Registry, epoch: int) -> Prepared:
        """Compiles a registry without putting it in force; raises ConfigRefused when that is not possible."""
        compiler, now = Compiler(registry, self._now.compiler), self._clock()
        due: dict[str, Due] = {}
        for proxy in registry.proxies:
            try:
                made = compiler.snapshot(proxy, epoch)
            except ValidationError as error:
                raise ConfigRefused(
                    [f"proxy {proxy.name}: what it would have to do is not possible: {error}"]
                ) from error
            last = self._now.due.get(proxy.name)
            same = last is not None and last.snapshot == made.model_copy(update={"epoch": last.snapshot.epoch})
            due[proxy.name] = last if last is not None and same else Due(made, now)
        compiler.forget()
        return Prepared(registry, epoch, due, compiler)

    def current(self) -> frozenset[str]:
        """The proxies that serve what they have to."""
        known = {name: self.standing(name) for name in self.due}
        return frozenset(
            name for name, due in self.due.items() if (one := known[name]) and one.served == due.snapshot.epoch
        )

    def standing(self, proxy: str) -> Standing | None:
        """How far a proxy is, whichever control plane it is connected to; None of one that was not heard of."""
        here, there = self.standings.get(proxy), self.elsewhere.get(proxy)
        return here.or_rather(there) if here else there

    def publish(self, prepared: Prepared) -> None:
        """Puts it in force and wakes every subscriber."""
        self._now = prepared
        self.standings = {name: one for name, one in self.standings.items() if name in prepared.due or one.connections}
        self._wake()

    def refuse(self, mistakes: list[str]) -> None:
        """Remembers why the newest configuration was not taken."""
        self.mistakes = mistakes

    def acknowledge(self, proxy: str, said: Acknowledgement) -> None:
        """Remembers what a proxy said of its snapshot."""
        self._standing(proxy).told(said, self._clock())

    def flush(self, traces: list[str], *, share: bool = True) -> None:
        """Has every proxy send what it keeps of these traces; `share`: those of other control planes, too."""
        if self._flushes.add(traces):
            self._wake()
            if share:
                self.share(traces)

    async def subscribe(self, proxy: str, heartbeat_s: float) -> AsyncIterator[bytes | Flush | None]:
        """Yields the snapshot in force, then each newer one, as lines; traces to flush; None after `heartbeat_s`
        without.

        A proxy that connects again hears of the last flushes again: to flush twice does nothing.

        Raises UnknownProxy at once, or when the proxy has left the configuration.
        """
        standing = self._standing(proxy)
        standing.connections += 1
        try:
            sent: Snapshot | None = None
            flushed = 0
            while True:
                due = self._due(proxy)
                if due is not sent:
                    sent = due
                    yield self._now.compiler.line(due)
                elif flushed != self._flushes.last:
                    flushed, traces = self._flushes.after(flushed)
                    yield Flush(traces)
                elif not await self._newer_than(proxy, sent, flushed, heartbeat_s):
                    yield None
                standing.seen = self._clock()
        finally:
            standing.connections -= 1

    def _due(self, proxy: str) -> Snapshot:
        found = self._now.due.get(proxy)
        if found is None:
            self.registry.proxy(proxy)  # says why there is none
            raise AssertionError(f"no snapshot of {proxy}")
        return found.snapshot

    def _standing(self, proxy: str) -> Standing:
        return self.standings.setdefault(proxy, Standing())

    async def _newer_than(self, proxy: str, sent: Snapshot, flushed: int, patience_s: float) -> bool:
        def newer() -> bool:
            due = self._now.due.get(proxy)
            return due is None or due.snapshot is not sent or self._flushes.last != flushed

        try:
            async with asyncio.timeout(patience_s):
                while not newer():
                    await self._newer.wait()
        except TimeoutError:
            return False
        return True

    def _wake(self) -> None:
        """Whoever waits looks again; an event is for one change, so that nobody can miss the one after it."""
        self._newer.set()
        self._newer = asyncio.Event()


def _to_nobody(_: list[str]) -> None:
    """There is no other control plane."""
