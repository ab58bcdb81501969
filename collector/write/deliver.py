"""Brings what the log holds to the writers: at once while there is room in memory, from disk when there was none.

In: requests that are on disk. Out: their blocks, at the writers. Never: more in memory than the bound however far the
store is behind; a request forgotten, or given to the store twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable

from collector import _columnar as columnar
from collector.drops import Drops
from collector.encode import Encoder
from collector.errors import Refused
from collector.receive.request import Request, Taken
from collector.wal.log import Log
from collector.wal.record import Damaged
from collector.write.resume import Resume
from collector.write.settle import Ledger
from collector.write.writers import Writers

log = logging.getLogger("whymesh.collector")


class Delivery:
    """Between the log and the writers. Belongs to one event loop."""

    def __init__(self, wal: Log, ledger: Ledger, writers: Writers, encoder: Encoder, drops: Drops) -> None:
        self._wal = wal
        self._ledger = ledger
        self._writers = writers
        self._encoder = encoder
        self._drops = drops
        self._on_disk: deque[int] = deque()
        self._more = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def on_disk(self) -> int:
        """Requests that wait on disk alone."""
        return len(self._on_disk)

    def start(self, resume: Resume, later: Iterable[int] = ()) -> None:
        """Begins with what an earlier process left, but for what comes by `go_on` later."""
        left = self._wal.recovered.requests
        if left:
            log.info("%d requests of an earlier run are in the log and will be stored", len(left))
        self.go_on(left.keys() - set(later))
        self._task = asyncio.create_task(self._run(resume), name="deliver")

    def go_on(self, numbers: Iterable[int]) -> None:
        """Stores requests that are on disk."""
        self._on_disk.extend(sorted(numbers))
        if self._on_disk:
            self._more.set()

    async def keep(self, request: Request, encoded: columnar.Encoded, taken: Taken) -> None:
        """Returns once the request is on disk. Raises LogFull, LogUnwritable."""
        blocks = encoded.blocks
        number = await self._wal.append(request, len(blocks), taken)
        if self._on_disk or not self._writers.has_room(blocks):
            self._on_disk.append(number)
            self._more.set()
        else:
            self._ledger.expect(number, blocks)
            self._writers.add(number, request, blocks)

    async def close(self) -> None:
        """Leaves on disk what is there: the next process begins with it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, resume: Resume) -> None:
        await resume.all()
        while True:
            await self._more.wait()
            while self._on_disk:
                await self._next(self._on_disk[0])
                self._on_disk.popleft()
            self._more.clear()

    async def _next(self, number: int) -> None:
        try:
            request = await self._wal.read(number)
            encoded = await self._encoder.encode(request)
        except (OSError, Damaged, Refused) as error:
            self._drops.request("logged", "log_unreadable", f"request {number} of the log: {error}")
            self._ledger.forget(number)
            return
        blocks = self._ledger.missing(number, encoded.blocks)
        self._ledger.expect(number, blocks)
        await self._writers.room(blocks)
        self._writers.add(number, request, blocks)
