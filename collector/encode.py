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
    """`limit`: bytes of a body once decompressed; `rules`: what of it is not to be stored, empty for nothing.

    `facts`: spans come with what tail sampling has to know of them.
    """

    def __init__(self, threads: Executor, limit: int, rules: str = "", *, facts: bool = False) -> None:
        self._threads = threads
        self._rules = columnar.Rules(rules) if rules else None
        self._facts = facts
        self.limit = limit

    async def encode(self, request: Request) -> columnar.Encoded:
        """Raises Malformed, TooLarge."""
        work = self._work(request)
        try:
            if len(request.body) <= INLINE_BYTES:
                return work()
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except columnar.TooLarge as error:
            raise TooLarge(str(error)) from None
        except columnar.DecodeError as error:
            raise Malformed(str(error)) from None

    def _work(self, request: Request) -> Callable[[], columnar.Encoded]:
        form, body = request.form, request.body
        if request.signal is Signal.TRACES:
            encode = partial(columnar.encode_traces, body, facts=self._facts, verdict=request.verdict)
        elif request.signal is Signal.LOGS:
            encode = partial(columnar.encode_logs, body, received_ns=request.received_ns)
        else:
            encode = partial(columnar.encode_metrics, body)
        return partial(encode, json=form.json, coding=form.coding, limit=self.limit, rules=self._rules)
