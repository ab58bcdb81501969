"""Hands the blocks of a request to the writers of their tables and answers once all of them are stored.

In: the blocks of one request. Out: the same blocks at one writer a table, made when its first block comes.
Never: a part of a request taken while another is turned away for want of room.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from collector.errors import Overloaded
from collector.write import Block, Insert, Limits, Observer, Writer


class Writers:
    """The queues before all tables. Belongs to one event loop."""

    def __init__(self, insert: Insert, observer: Observer, limits: Limits) -> None:
        self._insert = insert
        self._observer = observer
        self._limits = limits
        self._patient = True
        self._of: dict[str, Writer] = {}

    @property
    def held_bytes(self) -> int:
        """What waits for the store or is on its way there."""
        return sum(writer.held_bytes for writer in self._of.values())

    async def submit(self, blocks: Sequence[Block], *, own: bool = False) -> None:
        """Returns once all blocks are stored. Raises Overloaded, StoreAway, Unstorable.

        They are stored also when the caller is cancelled meanwhile; when one cannot be, the others are all the same.
        """
        held, size = self.held_bytes, sum(len(block.data) for block in blocks)
        if held and held + size > self._limits.queue_bytes:
            raise Overloaded(f"{held} bytes wait for the store, the limit is {self._limits.queue_bytes}: try again")
        stored = [self._writer(block.table).add(block, own=own) for block in blocks]
        for outcome in await asyncio.gather(*stored, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    def hurry(self) -> None:
        """Stores what comes from now on without waiting for company, since senders are being waited for."""
        self._patient = False
        for writer in self._of.values():
            writer.hurry()

    async def drain(self) -> None:
        """Stores what waits and stops; nothing may be submitted any more."""
        await asyncio.gather(*(writer.drain() for writer in self._of.values()))

    def _writer(self, table: str) -> Writer:
        writer = self._of.get(table)
        if writer is None:
            writer = self._of[table] = Writer(table, self._insert, self._observer, self._limits)
            if not self._patient:
                writer.hurry()
            writer.start()
        return writer
