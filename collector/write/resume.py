"""Looks into inserts that had begun when an earlier process ended: did the store take them or not?

In: an insert as the log notes it. Out: the insert made whole, or its blocks free to go into others. Never: a row stored
twice, or left out.

An insert goes to one partition and makes one part of it, so its rows are there all or none. ClickHouse notes the
deduplication token just before the part gets its name, and feeds the views after that. So the rows
decide: when they are there, the insert is made again under its token, which completes the views and nothing else; when
they are not, no view saw them either, and a token that was noted for a part that never came must not be used again.

What is only counted (mesh_unkept) has no rows: its insert is made again under its token, which each of the tables
behind the views knows for itself.

After a loss of power, tokens and parts may have been lost independently: there, rows that are found are left alone, and
so is what has none: roll-ups may lack it, and never count it twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from collector.encode import Encoder
from collector.errors import Refused
from collector.store.errors import StoreRejected, StoreUnavailable
from collector.store.upkeep import UNKEPT
from collector.wal.log import Log
from collector.wal.record import Damaged, Insert, Outcome, Partition
from collector.write.group import partition_of

log = logging.getLogger("whymesh.collector")

PAUSE_S = 1.0


class Store(Protocol):
    """Where inserts go."""

    async def holds(self, table: str, blocks: Sequence[bytes]) -> bool: ...
    async def insert(self, table: str, blocks: Sequence[bytes], token: str = "") -> int: ...


class Resume:
    """What the wiring gives to those that need it: the log, the store, and what encodes."""

    def __init__(self, wal: Log, store: Store, encoders: Sequence[Encoder], done: Callable[[], None]) -> None:
        """One encoder for each set of rules under which rows may have been stored; `done` when none is in doubt."""
        self._log = wal
        self._store = store
        self._encoders = encoders
        self._done = done

    async def all(self) -> None:
        """Settles every insert that had begun; waits while the store is away."""
        found = self._log.recovered
        for insert in found.open.values():
            await self._settle(insert, complete=True)
        for insert in found.doubted.values():
            await self._settle(insert, complete=False)
        self._done()

    async def _settle(self, insert: Insert, *, complete: bool) -> None:
        numbers = [number for number in insert.numbers if self._log.has(number)]
        outcome = Outcome.VOID
        for encoder in self._encoders:
            if outcome is Outcome.VOID:
                outcome = await self._outcome(insert, await self._blocks(insert.partition, numbers, encoder), complete)
        self._log.settled(insert.token, outcome)
        if outcome is Outcome.STORED:
            for number in numbers:
                self._log.stored(number).add(insert.partition)

    async def _blocks(self, partition: Partition, numbers: list[int], encoder: Encoder) -> list[bytes]:
        blocks: list[bytes] = []
        for number in numbers:
            try:
                encoded = await encoder.encode(await self._log.read(number))
            except (OSError, Damaged, Refused):
                continue  # whoever delivers it meets the same error, and counts it
            blocks += [block.data for block in encoded.blocks if partition_of(block) == partition]
        return blocks

    async def _outcome(self, insert: Insert, blocks: list[bytes], complete: bool) -> Outcome:
        table = insert.partition.table
        while True:
            try:
                if not blocks or not (table == UNKEPT or await self._store.holds(table, blocks)):
                    return Outcome.VOID
                if complete:
                    await self._store.insert(table, blocks, insert.token.hex())
            except StoreRejected as error:
                log.warning("the views of %s may lack what an earlier run inserted: %s", table, error)
            except StoreUnavailable as error:
                log.warning("what an earlier run began to insert waits for the store: %s", error)
                await asyncio.sleep(PAUSE_S)
                continue
            return Outcome.STORED
