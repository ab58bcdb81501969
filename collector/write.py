"""Gathers the blocks of many requests for one table into few inserts and tells each once its rows are stored.

In: encoded blocks. Out: INSERTs of concatenated Native blocks, one part a partition each. Never: an answer before
the rows are stored, one bad request refusing its neighbours.

One insert is under way at a time; while it runs, the next group gathers. An insert that the store cannot take now is
repeated under the same deduplication token until the deadline; one that it will never take is halved until the bad
request stands alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from collector._columnar import MOST_DAYS
from collector.errors import CollectorError, StoreAway, Unstorable
from collector.store.errors import StoreRejected, StoreUnavailable

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 1.0
# ClickHouse may quote a whole block; answers travel in headers too.
LONGEST_REASON = 1_000


class Block(Protocol):
    """What the encoder made of one request for one table."""

    @property
    def table(self) -> str: ...
    @property
    def data(self) -> bytes: ...
    @property
    def rows(self) -> int: ...
    @property
    def days(self) -> tuple[int, ...]: ...


@dataclass(frozen=True)
class Limits:
    """When a group is full, how long it waits for company, and how much may wait."""

    rows: int = 50_000
    group_bytes: int = 64 << 20
    wait_s: float = 0.2
    queue_bytes: int = 256 << 20
    deadline_s: float = 8.0


@dataclass(eq=False)
class Waiting:
    """A block that waits for its rows to be stored."""

    block: bytes
    rows: int
    days: frozenset[int]
    own: bool
    stored: asyncio.Future[None]


@dataclass
class Group:
    """Blocks that go into one INSERT."""

    table: str
    members: list[Waiting] = field(default_factory=list)
    rows: int = 0
    size: int = 0
    days: frozenset[int] = frozenset()

    def has_room(self, member: Waiting, limits: Limits) -> bool:
        """A group holds at least one request, however large."""
        return not self.members or (
            self.rows + member.rows <= limits.rows
            and self.size + len(member.block) <= limits.group_bytes
            and len(self.days | member.days) <= MOST_DAYS
        )

    def add(self, member: Waiting) -> None:
        self.members.append(member)
        self.rows += member.rows
        self.size += len(member.block)
        self.days |= member.days


Insert = Callable[[str, Sequence[bytes], str], Awaitable[object]]


class Observer(Protocol):
    """Is told of each attempt to insert."""

    def inserted(self, group: Group, seconds: float, error: Exception | None) -> None: ...


class Writer:
    """The queue before one table. Belongs to one event loop."""

    def __init__(self, table: str, insert: Insert, observer: Observer, limits: Limits) -> None:
        self._table = table
        self._insert = insert
        self._observer = observer
        self._limits = limits
        self._queue: deque[Waiting] = deque()
        self._queued_rows = self._queued_bytes = 0
        self._arrived = asyncio.Event()
        self._full = asyncio.Event()
        self._patient = True
        self._last_deadline = float("inf")
        self._task: asyncio.Task[None] | None = None
        self.held_bytes = 0

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="writer")

    def add(self, block: Block, *, own: bool = False) -> asyncio.Future[None]:
        """Queues a block. The future is done once it is stored, or holds StoreAway or Unstorable."""
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(Waiting(block.data, block.rows, frozenset(block.days), own, stored))
        self.held_bytes += len(block.data)
        self._queued_rows += block.rows
        self._queued_bytes += len(block.data)
        self._arrived.set()
        if self._has_a_group:
            self._full.set()
        return stored

    def hurry(self) -> None:
        """Stores what comes from now on without waiting for company, since senders are being waited for."""
        self._patient = False
        self._full.set()

    async def drain(self) -> None:
        """Stores what waits and stops; nothing may be submitted any more."""
        self.hurry()
        self._last_deadline = time.monotonic() + self._limits.deadline_s
        self._arrived.set()
        if self._task is not None:
            await self._task

    @property
    def _has_a_group(self) -> bool:
        return self._queued_rows >= self._limits.rows or self._queued_bytes >= self._limits.group_bytes

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            if not self._queue:
                if self._last_deadline < float("inf"):
                    return
                self._arrived.clear()
                continue
            await self._company()
            group = self._gather()
            await self._store(group, min(time.monotonic() + self._limits.deadline_s, self._last_deadline))
            self.held_bytes -= group.size

    async def _company(self) -> None:
        """Waits for more requests, unless a group is full already or nothing more will come."""
        self._full.clear()
        if self._patient and not self._has_a_group:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._full.wait(), self._limits.wait_s)

    def _gather(self) -> Group:
        group = Group(self._table)
        while self._queue and group.has_room(self._queue[0], self._limits):
            group.add(self._queue.popleft())
        self._queued_rows -= group.rows
        self._queued_bytes -= group.size
        return group

    async def _store(self, group: Group, deadline: float) -> None:
        """Inserts a group and tells each of its requests what became of it."""
        try:
            await self._insert_by(group, deadline)
        except StoreRejected as error:
            if len(group.members) == 1:
                _tell(group, Unstorable(str(error)[:LONGEST_REASON]))
                return
            middle = len(group.members) // 2
            for half in (group.members[:middle], group.members[middle:]):
                part = Group(group.table)
                for member in half:
                    part.add(member)
                await self._store(part, deadline)
        except StoreUnavailable as error:
            _tell(group, StoreAway(f"the store does not take rows now: {error}"[:LONGEST_REASON], retry_after_s=5))
        except Exception as error:
            _tell(group, StoreAway(f"the insert failed: {error!r}"[:LONGEST_REASON], retry_after_s=5))
        else:
            _tell(group, None)

    async def _insert_by(self, group: Group, deadline: float) -> None:
        """Repeats an insert until it succeeds or the deadline is near. Raises what the store raised last."""
        blocks, token = [member.block for member in group.members], uuid.uuid4().hex
        pause = FIRST_PAUSE_S
        while True:
            started = time.monotonic()
            try:
                await self._insert(group.table, blocks, token)
            except Exception as error:
                now = time.monotonic()
                self._observer.inserted(group, now - started, error)
                if not isinstance(error, StoreUnavailable) or now + pause > deadline:
                    raise
            else:
                self._observer.inserted(group, time.monotonic() - started, None)
                return
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 (spreads retries, keeps no secret)
            pause = min(2 * pause, LONGEST_PAUSE_S)


def _tell(group: Group, error: CollectorError | None) -> None:
    for member in group.members:
        if member.stored.done():
            continue
        if error is None:
            member.stored.set_result(None)
        else:
            member.stored.set_exception(error)
