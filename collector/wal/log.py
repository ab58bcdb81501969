"""Puts requests on disk before they are answered, and keeps them until their rows are stored.

In: requests, and what becomes of them. Out: numbers of requests that are on disk. Never: an answer before the policy's
promise holds, more bytes than the limit, a segment removed while one before it is needed.

What comes while a write is under way is written and synced together after it (group commit).
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from collector.disk import unwritable
from collector.errors import LogFull, LogUnwritable
from collector.receive.request import Request, Taken
from collector.wal.boot import boot_id
from collector.wal.policy import Policy
from collector.wal.record import (
    Damaged,
    Decided,
    Head,
    Insert,
    Logged,
    Outcome,
    Partition,
    Record,
    Settled,
    decode,
    encode,
)
from collector.wal.recover import Place, Recovered, recover, unfinished
from collector.wal.segment import Segment

log = logging.getLogger("whymesh.collector")

T = TypeVar("T")
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(eq=False)
class _Pending:
    """A record on its way to disk."""

    record: Record
    size: int
    written: asyncio.Future[None]


class Log:
    """One folder of segments. Belongs to one event loop; `store` is the directory whose tables the log fills."""

    def __init__(self, folder: Path, store: Path, policy: Policy, found: Recovered) -> None:
        self._folder = folder
        self._store = store
        self._policy = policy
        self.batches = found.batches
        self.recovered = found
        self._places = dict(found.requests)
        self._unfinished = unfinished(found.requests)
        self._closed = found.segments
        self._next_number = found.next_number
        self._active: Segment | None = None
        self._unsynced: Segment | None = None
        self._pending: list[_Pending] = []
        self._pending_bytes = 0
        self._arrived = asyncio.Event()
        self._closing = False
        # Which nothing needs, and which could not be removed yet.
        self._doomed: list[Segment] = []
        # One thread, so that writes, syncs and removals follow one another.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="log")
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    def open(cls, folder: Path, store: Path, policy: Policy) -> Log:
        """Reads what an earlier process left. Raises LogUnwritable, LogOfOtherVersion."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return cls(folder, store, policy, recover(folder, policy.batches))
        except OSError as error:
            raise _unwritable(folder, error) from None

    async def start(self) -> None:
        """Begins a segment, and to write. Raises LogUnwritable."""
        try:
            await self._segment()
        except OSError as error:
            raise _unwritable(self._folder, error) from None
        self._tasks.append(asyncio.create_task(self._commits(), name="log"))
        if self._policy.fsync == "interval":
            self._tasks.append(asyncio.create_task(self._syncs(), name="log-sync"))

    @property
    def size(self) -> int:
        """Bytes on disk, and about to be."""
        return sum(segment.size for segment in self._segments()) + self._pending_bytes

    @property
    def requests(self) -> int:
        """Requests whose rows are not all stored yet."""
        return len(self._places)

    async def append(self, request: Request, blocks: int, taken: Taken) -> int:
        """Returns the request's number once it is on disk. Raises LogFull, LogUnwritable.

        Call it from a task of its own: what is under way is not taken back when the caller is cancelled.
        """
        if self.size + len(request.body) > self._policy.limit_bytes:
            raise LogFull(
                f"the write-ahead log in {self._folder} holds {self.size} bytes that the store has not taken, the "
                f"limit is {self._policy.limit_bytes}: try again",
                retry_after_s=5,
            )
        number, self._next_number = self._next_number, self._next_number + 1
        await self._write(Logged(number, request, blocks, taken), len(request.body))
        return number

    async def decided(self, verdicts: Sequence[Decided]) -> None:
        """Returns once it is on disk what becomes of the spans of these requests. Raises LogUnwritable."""
        await asyncio.gather(*(self._write(one, len(one.verdict)) for one in verdicts))
        for one in verdicts:
            self._places[one.number] = replace(self._places[one.number], verdict=one.verdict)

    async def inserting(self, token: bytes, partition: Partition, numbers: tuple[int, ...]) -> None:
        """Returns once it is on disk that this insert may happen. Raises LogUnwritable."""
        await self._write(Insert(token, partition, numbers), 8 * len(numbers))

    def settled(self, token: bytes, outcome: Outcome) -> None:
        """Notes what became of an insert; without the note it would be looked into after a crash."""
        future = self._write(Settled(token, outcome), 0)
        future.add_done_callback(lambda done: done.exception())

    def finished(self, number: int) -> None:
        """The request is not needed any more."""
        place = self._places.pop(number)
        self._unfinished[place.segment.number] -= 1
        self._trim()

    def has(self, number: int) -> bool:
        """Whether the request is still needed."""
        return number in self._places

    def stored(self, number: int) -> set[Partition]:
        """The partitions that have their rows of a request of an earlier process."""
        return self._places[number].stored

    async def read(self, number: int) -> Request:
        """A request from disk, with what was decided of its spans. Raises OSError, Damaged."""
        place = self._places[number]
        record = await asyncio.to_thread(lambda: decode(place.segment.read(place.place)))
        if not isinstance(record, Logged):
            raise Damaged(f"{place.segment.path} holds no request at byte {place.place}")
        return replace(record.request, verdict=place.verdict)

    async def close(self) -> None:
        """Writes what is pending; nothing may be appended any more."""
        if self._closing:
            return
        self._closing = True
        self._arrived.set()
        if self._tasks:
            await self._tasks[0]
        for task in self._tasks[1:]:
            task.cancel()
        with contextlib.suppress(OSError):
            await self._in_thread(self._sync)
        await asyncio.to_thread(self._thread.shutdown)
        for segment in [*self._doomed, *self._segments()]:
            segment.close()

    def _segments(self) -> list[Segment]:
        return [*self._closed, *([self._active] if self._active else [])]

    def _write(self, record: Record, size: int) -> asyncio.Future[None]:
        pending = _Pending(record, size, asyncio.get_running_loop().create_future())
        self._pending.append(pending)
        self._pending_bytes += size
        self._arrived.set()
        return pending.written

    async def _commits(self) -> None:
        while self._pending or not self._closing:
            await self._arrived.wait()
            self._arrived.clear()
            if self._pending:
                await self._commit()

    async def _commit(self) -> None:
        group, self._pending = self._pending, []
        try:
            segment = await self._segment()
            places = await self._in_thread(lambda: self._append(segment, [one.record for one in group]))
        except OSError as error:
            for one in group:
                _fail(one.written, _unwritable(self._folder, error))
        else:
            for one, place in zip(group, places, strict=True):
                if isinstance(one.record, Logged):
                    self._note(one.record, segment, place)
                if not one.written.done():
                    one.written.set_result(None)
        finally:
            self._pending_bytes -= sum(one.size for one in group)

    def _note(self, logged: Logged, segment: Segment, place: int) -> None:
        self._places[logged.number] = Place(segment, place, logged.blocks)
        self._unfinished[segment.number] += 1
        if logged.request.form.batch:
            self.batches.add(logged.request.form.batch, logged.taken)

    async def _segment(self) -> Segment:
        """The segment to append to; a new one begins with what the ones before it said of batches."""
        active = self._active
        if active is not None and active.size < self._policy.segment:
            return active
        number = max((segment.number for segment in self._segments()), default=0) + 1
        head = Head(self._next_number, boot_id(), self.batches.all())
        segment = await self._in_thread(lambda: self._begin(number, head))
        if active is not None:
            self._closed.append(active)
        self._active = segment
        self._trim()
        return segment

    def _begin(self, number: int, head: Head) -> Segment:
        """On the thread. Raises OSError."""
        if self._policy.fsync != "never":
            self._sync()
        segment = Segment.create(self._folder, number)
        try:
            segment.write([encode(head)])
            self._unsynced = segment
            if self._policy.fsync != "never":
                self._sync()
        except OSError:
            segment.remove()
            self._unsynced = None
            raise
        return segment

    def _append(self, segment: Segment, records: list[Record]) -> list[int]:
        """On the thread: writes and, by policy, syncs; what cannot be synced is taken back. Raises OSError."""
        before = segment.size
        places = segment.write([encode(record) for record in records])
        self._unsynced = segment
        if self._policy.fsync == "always":
            try:
                self._sync()
            except OSError:
                segment.cut(before)
                raise
        return places

    def _sync(self) -> None:
        segment, self._unsynced = self._unsynced, None
        if segment is not None:
            segment.sync()

    def _trim(self) -> None:
        """Removes the oldest segments that nothing needs, in order: what was settled may stand in a later one."""
        done = []
        while self._closed and not self._unfinished[self._closed[0].number]:
            done.append(self._closed.pop(0))
        if done:
            self._doomed += done
            self._thread.submit(self._remove)

    def _remove(self) -> None:
        """On the thread, once the rows in the store would outlive a loss of power as the segments do."""
        try:
            doomed = list(self._doomed)
            if self._policy.fsync != "never":
                _sync_file_system(self._store)
            for segment in doomed:
                segment.remove()
                self._doomed.remove(segment)
        except OSError as error:
            log.warning("%s", _unwritable(self._folder, error))

    async def _syncs(self) -> None:
        while True:
            await asyncio.sleep(self._policy.interval_s)
            try:
                await self._in_thread(self._sync)
            except OSError as error:
                log.warning("%s", _unwritable(self._folder, error))

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _fail(future: asyncio.Future[None], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


def _unwritable(folder: Path, error: OSError) -> LogUnwritable:
    return LogUnwritable(unwritable("the write-ahead log in", folder, error, "`wal.folder`"), retry_after_s=5)


def _sync_file_system(folder: Path) -> None:
    """syncfs(2), which Python does not have. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(descriptor)
