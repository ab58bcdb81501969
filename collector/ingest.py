"""Takes one request: encodes it, hands its block to the writer and says what of it could not be kept.

In: the body of a request as it came. Out: `Taken` once its spans are stored, or an error of collector.errors.
Never: an answer before the block is in the store; a Python object per span.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from collector import _columnar as columnar
from collector.drops import Drops
from collector.errors import CollectorError, Malformed, TooLarge
from collector.signals import Signal

if TYPE_CHECKING:
    from collector._columnar import Coding

T = TypeVar("T")

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
    """Returns once the block is stored; raises Unstorable or Retryable."""

    def __call__(self, encoded: columnar.Encoded, *, own: bool) -> Awaitable[None]: ...


class Ingest:
    """The way of a request through the collector; both receivers share one."""

    def __init__(self, submit: Submit, drops: Drops, threads: Executor, limit: int) -> None:
        self._submit = submit
        self._drops = drops
        self._threads = threads
        self.limit = limit

    async def take(self, signal: Signal, body: bytes, form: Form) -> Taken:
        """Raises Refused or Retryable, which the receiver counts with `refuse` as it answers."""
        if signal is Signal.TRACES:
            return await self._traces(body, form)
        return await self._unstored(signal, body, form)

    def refuse(self, signal: Signal, error: CollectorError) -> None:
        """Counts a request that is answered with an error."""
        self._drops.request(signal.value, error.cause, str(error))

    async def _traces(self, body: bytes, form: Form) -> Taken:
        encoded = await self._work(
            lambda: columnar.encode_traces(body, json=form.json, coding=form.coding, limit=self.limit), len(body)
        )
        if encoded.rows:
            await self._submit(encoded, own=form.own)
        for cause, count in encoded.causes.items():
            self._drops.items(Signal.TRACES.value, cause, count, encoded.message)
        return Taken(encoded.rejected, encoded.message)

    async def _unstored(self, signal: Signal, body: bytes, form: Form) -> Taken:
        """Counts what this collector has no table for, so that a sender neither breaks nor tries again."""
        count = columnar.count_data_points if signal is Signal.METRICS else columnar.count_log_records
        items = await self._work(lambda: count(body, json=form.json, coding=form.coding, limit=self.limit), len(body))
        if not items:
            return Taken()
        message = f"this collector does not store {signal.value}"
        self._drops.items(signal.value, "not_stored", items, message)
        return Taken(items, message)

    async def _work(self, encode: Callable[[], T], size: int) -> T:
        try:
            if size <= INLINE_BYTES:
                return encode()
            return await asyncio.get_running_loop().run_in_executor(self._threads, encode)
        except columnar.TooLarge as error:
            raise TooLarge(str(error)) from None
        except columnar.DecodeError as error:
            raise Malformed(str(error)) from None
