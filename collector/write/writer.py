"""Gathers the blocks of many requests for one table into few inserts and sees each insert through.

In: encoded blocks. Out: INSERTs of concatenated Native blocks, each of one partition and so one part, stored whole or
not at all. Never: a row stored twice, one bad request refusing its neighbours, a block given up because the store is
away.

One insert is under way at a time; while it runs, the next group gathers. An insert that the store cannot take now is
repeated under the same deduplication token until it can; one that it will never take is halved until the bad request
stands alone, which is dropped and counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from collector.store.errors import StoreRejected
from collector.wal.record import Outcome, Partition
from collector.write.group import Group, Limits, Waiting

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
# ClickHouse may quote a whole block.
LONGEST_REASON = 1_000

Insert = Callable[[str, Sequence[bytes], str], Awaitable[object]]
"""Table, blocks, deduplication token."""


class Observer(Protocol):
    """Is told of each attempt to insert, and of what the store will never take."""

    def inserted(self, group: Group, seconds: float, error: Exception | None) -> None: ...
    def unstorable(self, member: Waiting, reason: str) -> None: ...


class Settle(Protocol):
    """Is told of each insert before it is made and once it needs no more care."""

    async def inserting(self, token: bytes, group: Group) -> None: ...
    def settled(self, token: bytes, group: Group, outcome: Outcome) -> None: ...


class Writer:
    """The queue before one table. Belongs to one event loop."""

    def __init__(self, table: str, insert: Insert, settle: Settle, observer: Observer, limits: Limits) -> None:
        self._table = table
        self._insert = insert
        self._settle = settle
        self._observer = observer
        self._limits = limits
        self._queue: deque[Waiting] = deque()
        self._queued_rows = self._queued_bytes = 0
        self._arrived = asyncio.Event()
        self._full = asyncio.Event()
        self._patient = True
        self._deadline = float("inf")
        self._task: asyncio.Task[None] | None = None
        self.held_bytes = 0

    def start(self, freed: Callable[[], None]) -> None:
        """`freed` is called whenever a group is done with."""
        self._task = asyncio.create_task(self._run(freed), name=f"write-{self._table}")

    def add(self, member: Waiting) -> None:
        """Queues a block."""
        self._queue.append(member)
        self.held_bytes += len(member.block)
        self._queued_rows += member.rows
        self._queued_bytes += len(member.block)
        self._arrived.set()
        if self._has_a_group:
            self._full.set()

    def hurry(self) -> None:
        """Stores what comes from now on without waiting for company."""
        self._patient = False
        self._full.set()

    async def drain(self) -> None:
        """Stores what waits and stops, leaving to the log what cannot be stored in time; nothing may be added."""
        self.hurry()
        self._deadline = time.monotonic() + self._limits.stop_s
        self._arrived.set()
        if self._task is not None:
            await self._task

    @property
    def _has_a_group(self) -> bool:
        return self._queued_rows >= self._limits.rows or self._queued_bytes >= self._limits.group_bytes

    async def _run(self, freed: Callable[[], None]) -> None:
        while time.monotonic() < self._deadline:
            await self._arrived.wait()
            if not self._queue:
                if self._deadline < float("inf"):
                    return
                self._arrived.clear()
                continue
            await self._company()
            for group in self._gather():
                await self._store(group)
                self.held_bytes -= group.size
                freed()

    async def _company(self) -> None:
        """Waits for more requests, unless a group is full already or nothing more will come."""
        self._full.clear()
        if self._patient and not self._has_a_group:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._full.wait(), self._limits.wait_s)

    def _gather(self) -> list[Group]:
        """One group a partition of what waits, the rest left for the next time."""
        groups: dict[Partition, Group] = {}
        waiting, self._queue = self._queue, deque()
        for member in waiting:
            group = groups.setdefault(member.partition, Group(member.partition))
            if group.has_room(member, self._limits):
                group.add(member)
            else:
                self._queue.append(member)
        self._queued_rows -= sum(group.rows for group in groups.values())
        self._queued_bytes -= sum(group.size for group in groups.values())
        return list(groups.values())

    async def _store(self, group: Group) -> None:
        """Inserts a group and settles it, unless the time to stop comes first."""
        token = uuid.uuid4().bytes
        try:
            stored = await self._insert_by_deadline(group, token)
        except StoreRejected as error:
            if len(group.members) > 1:
                self._settle.settled(token, group, Outcome.VOID)
                for half in group.halves():
                    await self._store(half)
            else:
                self._observer.unstorable(group.members[0], str(error)[:LONGEST_REASON])
                self._settle.settled(token, group, Outcome.DROPPED)
        else:
            if stored:
                self._settle.settled(token, group, Outcome.STORED)

    async def _insert_by_deadline(self, group: Group, token: bytes) -> bool:
        """Repeats an insert until it succeeds; False when it is time to stop. Raises StoreRejected."""
        blocks, pause, noted = [member.block for member in group.members], FIRST_PAUSE_S, False
        while time.monotonic() < self._deadline:
            started = time.monotonic()
            try:
                if not noted:
                    await self._settle.inserting(token, group)
                    noted, started = True, time.monotonic()
                await self._insert(group.partition.table, blocks, token.hex())
            except Exception as error:
                # Whatever else went wrong is a matter of the store or the disk: what was acknowledged stays.
                self._observer.inserted(group, time.monotonic() - started, error)
                if isinstance(error, StoreRejected):
                    raise
            else:
                self._observer.inserted(group, time.monotonic() - started, None)
                return True
            if time.monotonic() + pause > self._deadline:
                break
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 (spreads retries, keeps no secret)
            pause = min(2 * pause, LONGEST_PAUSE_S)
        return False
