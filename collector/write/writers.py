"""Hands the blocks of a request to the writers of their tables.

In: the blocks of one request. Out: the same blocks at one writer a table, made when its first block comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from collector.receive.request import Request
from collector.write.group import Block, Limits, Waiting, partition_of
from collector.write.writer import Insert, Observer, Settle, Writer


class Writers:
    """The queues before all tables. Belongs to one event loop."""

    def __init__(self, insert: Insert, settle: Settle, observer: Observer, limits: Limits) -> None:
        self._insert = insert
        self._settle = settle
        self._observer = observer
        self._limits = limits
        self._patient = True
        self._of: dict[str, Writer] = {}
        self._freed = asyncio.Event()

    @property
    def held_bytes(self) -> int:
        """What waits for the store or is on its way there."""
        return sum(writer.held_bytes for writer in self._of.values())

    def has_room(self, blocks: Sequence[Block]) -> bool:
        """Whether these may wait in memory too; one request alone always may."""
        held = self.held_bytes
        return not held or held + sum(len(block.data) for block in blocks) <= self._limits.queue_bytes

    async def room(self, blocks: Sequence[Block]) -> None:
        """Returns once there is room."""
        while not self.has_room(blocks):
            self._freed.clear()
            await self._freed.wait()

    def add(self, number: int, request: Request, blocks: Sequence[Block]) -> None:
        """Queues the blocks of the request that has this number in the log."""
        signal, own = request.signal.value, request.form.own
        for block in blocks:
            member = Waiting(number, signal, block.data, block.rows, partition_of(block), own)
            self._writer(block.table).add(member)

    def hurry(self) -> None:
        """Stores what comes from now on without waiting for company."""
        self._patient = False
        for writer in self._of.values():
            writer.hurry()

    async def drain(self) -> None:
        """Stores what waits and stops; nothing may be added any more."""
        await asyncio.gather(*(writer.drain() for writer in self._of.values()))

    def _writer(self, table: str) -> Writer:
        writer = self._of.get(table)
        if writer is None:
            writer = self._of[table] = Writer(table, self._insert, self._settle, self._observer, self._limits)
            if not self._patient:
                writer.hurry()
            writer.start(self._freed.set)
        return writer
