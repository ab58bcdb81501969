"""Takes one request: encodes it, puts it on disk, hands its blocks on and says what of it could not be kept.

In: the body of a request as it came. Out: `Taken` once it cannot be lost any more, or an error of collector.errors.
Never: an answer before the log has the request; a batch taken twice; a Python object per item.
"""

from __future__ import annotations

import time
from typing import Protocol

from collector import _columnar as columnar
from collector.drops import Drops
from collector.encode import Encoder
from collector.errors import CollectorError
from collector.receive.repeats import Repeats, fingerprint
from collector.receive.request import Form, Request, Taken
from collector.receive.signals import Signal


class Keep(Protocol):
    """Returns once the request cannot be lost any more; its blocks are stored later. Raises Retryable."""

    async def __call__(self, request: Request, encoded: columnar.Encoded, taken: Taken) -> None: ...


class Ingest:
    """The way of a request through the collector; all receivers share one."""

    def __init__(self, encoder: Encoder, keep: Keep, repeats: Repeats, drops: Drops) -> None:
        self._encoder = encoder
        self._keep = keep
        self._repeats = repeats
        self._drops = drops

    @property
    def limit(self) -> int:
        """Bytes of one body, decompressed."""
        return self._encoder.limit

    async def take(self, signal: Signal, body: bytes, form: Form) -> Taken:
        """Raises Refused or Retryable, which the receiver counts with `refuse` as it answers."""
        batch = form.batch or fingerprint(signal, body)
        form = Form(form.json, form.coding, form.own, batch)
        return await self._repeats.once(batch, lambda: self._take(Request(signal, body, form, time.time_ns())))

    def refuse(self, signal: Signal, error: CollectorError) -> None:
        """Counts a request that is answered with an error."""
        self._drops.request(signal.value, error.cause, str(error))

    async def _take(self, request: Request) -> Taken:
        encoded = await self._encoder.encode(request)
        taken = Taken(encoded.rejected, encoded.message)
        if encoded.blocks:
            await self._keep(request, encoded, taken)
        for cause, count in encoded.causes.items():
            self._drops.items(request.signal.value, cause, count, encoded.message)
        self._drops.redacted(request.signal.value, encoded.redacted)
        return taken
