"""Holds the configuration in force and hands each proxy its snapshot as soon as there is a newer one.

In: registries as they are accepted, acknowledgements from proxies. Out: snapshots by proxy, who serves which epoch.
Never: a broken configuration; the last good one stays in force and the mistake is shown beside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from proxy.control.compile import compile_snapshot
from proxy.control.flush import FlushOrders
from proxy.control.registry import Registry
from proxy.snapshot import Snapshot


@dataclass(frozen=True)
class Acknowledgement:
    """What one proxy said of the last snapshot it got."""

    epoch: int
    accepted: bool
    reason: str = ""


@dataclass(frozen=True)
class Flush:
    """Traces to send what is kept of."""

    traces: list[str]


@dataclass
class Publisher:
    """The one place where an epoch begins; all methods run on the event loop."""

    registry: Registry
    epoch: int
    mistakes: list[str] = field(default_factory=list)
    acknowledged: dict[str, Acknowledgement] = field(default_factory=dict)
    connected: dict[str, int] = field(default_factory=dict)
    _flushes: FlushOrders = field(default_factory=FlushOrders)
    _newer: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def publish(self, registry: Registry, epoch: int) -> None:
        """Puts `registry` in force as `epoch` and wakes every subscriber."""
        async with self._newer:
            self.registry, self.epoch = registry, epoch
            self._newer.notify_all()

    def refuse(self, mistakes: list[str]) -> None:
        """Remembers why the newest configuration was not taken."""
        self.mistakes = mistakes

    def acknowledge(self, proxy: str, said: Acknowledgement) -> None:
        """Remembers what a proxy said of its snapshot."""
        self.acknowledged[proxy] = said

    async def flush(self, traces: list[str]) -> None:
        """Has every proxy send what it keeps of these traces."""
        async with self._newer:
            if self._flushes.add(traces):
                self._newer.notify_all()

    async def subscribe(self, proxy: str, heartbeat_s: float) -> AsyncIterator[Snapshot | Flush | None]:
        """Yields the snapshot in force, then each newer one, and traces to flush; None after `heartbeat_s` s without.

        A proxy that connects again hears of the last flushes again: to flush twice does nothing.

        Raises UnknownProxy at once, or when the proxy has left the configuration.
        """
        self.connected[proxy] = self.connected.get(proxy, 0) + 1
        try:
            sent = flushed = 0
            while True:
                if self.epoch != sent:
                    sent = self.epoch
                    yield compile_snapshot(self.registry, proxy, sent)
                elif flushed != self._flushes.last:
                    flushed, traces = self._flushes.after(flushed)
                    yield Flush(traces)
                elif not await self._newer_than(sent, flushed, heartbeat_s):
                    yield None
        finally:
            self.connected[proxy] -= 1
            if not self.connected[proxy]:
                del self.connected[proxy]

    async def _newer_than(self, epoch: int, flushed: int, patience_s: float) -> bool:
        def newer() -> bool:
            return self.epoch != epoch or self._flushes.last != flushed

        async with self._newer:
            try:
                await asyncio.wait_for(self._newer.wait_for(newer), patience_s)
            except TimeoutError:
                return False
            return True
