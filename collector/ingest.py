"""Takes one request: encodes it, hands its blocks to the writers and says what of it could not be kept.

In: the body of a request as it came. Out: `Taken` once its items are stored, or an error of collector.errors.
Never: an answer before the blocks are in the store; a Python object per item.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol

from collector import _columnar as columnar
from collector.drops import Drops
from collector.errors import CollectorError, Malformed, TooLarge
from collector.signals import Signal

# How a body is compressed: content codings of HTTP by name.
Coding = Literal["identity", "gzip", "zstd"]

# Below this a body is encoded in less time than it takes to hand it to a thread and back.
INLINE_BYTES = 16_384


@dataclass(frozen=True)
class Form:
    """How the sender wrote the body; `own`: the collector's own spans."""

    json: bool = False
    coding: Coding = "identity"
    own: bool = False


@dataclass(frozen=True)
class Taken:
    """What the answer says: how many items were rejected, and why."""

    rejected: int = 0
    message: str = ""


class Submit(Protocol):
    """Returns once the blocks are stored; raises Unstorable or Retryable."""

    def __call__(self, blocks: Sequence[columnar.Block], *, own: bool) -> Awaitable[None]: ...


class Ingest:
    """The way of a request through the collector; both receivers share one."""

    def __init__(self, submit: Submit, drops: Drops, threads: Executor, limit: int) -> None:
        self._submit = submit
        self._drops = drops
        self._threads = threads
        self.limit = limit

    async def take(self, signal: Signal, body: bytes, form: Form) -> Taken:
        """Raises Refused or Retryable, which the receiver counts with `refuse` as it answers."""
        encoded = await self._encoded(signal, body, form)
        if encoded.blocks:
            await self._submit(encoded.blocks, own=form.own)
        for cause, count in encoded.causes.items():
            self._drops.items(signal.value, cause, count, encoded.message)
        return Taken(encoded.rejected, encoded.message)

    def refuse(self, signal: Signal, error: CollectorError) -> None:
        """Counts a request that is answered with an error."""
        self._drops.request(signal.value, error.cause, str(error))

    async def _encoded(self, signal: Signal, body: bytes, form: Form) -> columnar.Encoded:
        encode = _encoder(signal, body, form, self.limit)
        try:
            if len(body) <= INLINE_BYTES:
                return encode()
            return await asyncio.get_running_loop().run_in_executor(self._threads, encode)
        except columnar.TooLarge as error:
            raise TooLarge(str(error)) from None
        except columnar.DecodeError as error:
            raise Malformed(str(error)) from None


def _encoder(signal: Signal, body: bytes, form: Form, limit: int) -> Callable[[], columnar.Encoded]:
    if signal is Signal.LOGS:
        return partial(
            columnar.encode_logs, body, received_ns=time.time_ns(), json=form.json, coding=form.coding, limit=limit
        )
    encode = columnar.encode_traces if signal is Signal.TRACES else columnar.encode_metrics
    return partial(encode, body, json=form.json, coding=form.coding, limit=limit)
