"""Tells a batch that is sent again from a new one, by the id that its sender gives it, or by its bytes.

In: the id of a batch and what takes it. Out: what was said of it the first time. Never: a batch taken twice, however
many answers were lost, as long as its id is among the last ones.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine
from hashlib import blake2b
from typing import Any

from collector.receive.request import Taken
from collector.receive.signals import Signal
from collector.wal.batches import Batches

BATCH_HEADER = "x-whymesh-batch"
"""HTTP header and gRPC metadata; docs/telemetry.md, "Batch id"."""
_ID = re.compile(r"[0-9a-f]{32}")


def batch_id(text: str | None) -> bytes:
    """The id in a header; empty when there is none, or it is not 32 hexadecimal digits."""
    return bytes.fromhex(text) if text is not None and _ID.fullmatch(text) else b""


def fingerprint(signal: Signal, body: bytes) -> bytes:
    """The id of a batch whose sender gave it none; empty for logs, where equal lines need not be the same line.

    Spans and points of equal requests are the same ones: ids and times are in the bytes.
    """
    if signal is Signal.LOGS:
        return b""
    return blake2b(body, digest_size=16, person=signal.value.encode()).digest()


class Repeats:
    """What was taken of late, and what is being taken. Belongs to one event loop."""

    def __init__(self, batches: Batches, repeated: Callable[[], None]) -> None:
        self._taken = batches
        self._repeated = repeated
        self._under_way: dict[bytes, asyncio.Task[Taken]] = {}

    async def once(self, batch: bytes, take: Callable[[], Coroutine[Any, Any, Taken]]) -> Taken:
        """What came of the batch: taken now, or before. Raises what `take` raises; then it may be sent again.

        `take` adds the batch to the others once it cannot be lost any more, and is not ended when the sender leaves.
        """
        taken, task = self._taken.get(batch), self._under_way.get(batch)
        if taken is not None or task is not None:
            self._repeated()
        if taken is not None:
            return taken
        if task is None:
            task = asyncio.create_task(take())
            if batch:
                self._under_way[batch] = task
                task.add_done_callback(lambda _: self._under_way.pop(batch))
        return await asyncio.shield(task)
