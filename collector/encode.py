"""Encodes requests to Native blocks, small ones at once and large ones on a thread of their own.

In: a request. Out: its blocks, one a table and day, and what of it was rejected. The same request gives the same rows
whenever it is encoded under the same rules, so that it can be kept as it came. Never: the event loop held up by a large
body.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial

from collector import _columnar as columnar
from collector.errors import Malformed, TooLarge
from collector.receive.request import Request
from collector.receive.signals import Signal

# Below this a body is encoded in less time than it takes to hand it to a thread and back.
INLINE_BYTES = 16_384


class Encoder:
    """`limit`: bytes of a body once decompressed; `rules`: what of it is not to be stored, empty for nothing."""

    def __init__(self, threads: Executor, limit: int, rules: str = "") -> None:
        self._threads = threads
        self._rules = columnar.Rules(rules) if rules else None
        self.limit = limit

    async def encode(self, request: Request) -> columnar.Encoded:
        """Raises Malformed, TooLarge."""
        work = _work(request, self.limit, self._rules)
        try:
            if len(request.body) <= INLINE_BYTES:
                return work()
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except columnar.TooLarge as error:
            raise TooLarge(str(error)) from None
        except columnar.DecodeError as error:
            raise Malformed(str(error)) from None


def _work(request: Request, limit: int, rules: columnar.Rules | None) -> Callable[[], columnar.Encoded]:
    form = request.form
    if request.signal is Signal.LOGS:
        return partial(
            columnar.encode_logs,
            request.body,
            received_ns=request.received_ns,
            json=form.json,
            coding=form.coding,
            limit=limit,
            rules=rules,
        )
    encode = columnar.encode_traces if request.signal is Signal.TRACES else columnar.encode_metrics
    return partial(encode, request.body, json=form.json, coding=form.coding, limit=limit, rules=rules)
