"""A batch that is sent again is answered as the first time, and taken once, also while it is still under way."""

from __future__ import annotations

import asyncio

import pytest

from collector.errors import Overloaded
from collector.receive.repeats import Repeats, batch_id, fingerprint
from collector.receive.request import Taken
from collector.receive.signals import Signal
from collector.wal.batches import Batches

ONE, TWO = b"1" * 16, b"2" * 16


class Taking:
    """Takes batches into `batches` when the gate is open, and counts."""

    def __init__(self, most: int = 10) -> None:
        self.batches = Batches(most)
        self.repeated = self.taken = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.repeats = Repeats(self.batches, self._count)

    def _count(self) -> None:
        self.repeated += 1

    async def take(self, batch: bytes, error: Exception | None = None) -> Taken:
        async def work() -> Taken:
            await self.gate.wait()
            if error is not None:
                raise error
            self.taken += 1
            if batch:
                self.batches.add(batch, Taken(self.taken))
            return Taken(self.taken)

        return await self.repeats.once(batch, work)


async def test_a_batch_is_taken_once() -> None:
    taking = Taking()
    assert [await taking.take(ONE), await taking.take(ONE), await taking.take(TWO)] == [Taken(1), Taken(1), Taken(2)]
    assert (taking.taken, taking.repeated) == (2, 1)


async def test_a_batch_that_is_still_being_taken_is_waited_for() -> None:
    taking = Taking()
    taking.gate.clear()
    both = asyncio.gather(taking.take(ONE), taking.take(ONE))
    await asyncio.sleep(0)
    taking.gate.set()
    assert await both == [Taken(1), Taken(1)]
    assert (taking.taken, taking.repeated) == (1, 1)


async def test_a_sender_that_leaves_does_not_end_it() -> None:
    taking = Taking()
    taking.gate.clear()
    sender = asyncio.create_task(taking.take(ONE))
    await asyncio.sleep(0)
    sender.cancel()
    taking.gate.set()
    assert await taking.take(ONE) == Taken(1)


async def test_what_was_refused_may_come_again() -> None:
    taking = Taking()
    with pytest.raises(Overloaded):
        await taking.take(ONE, Overloaded("later"))
    assert (await taking.take(ONE), taking.repeated) == (Taken(1), 0)


async def test_only_the_last_ones_are_known() -> None:
    taking = Taking(most=1)
    for batch in (ONE, TWO, ONE):
        await taking.take(batch)
    assert (taking.taken, taking.repeated) == (3, 0)


async def test_without_an_id_everything_is_new() -> None:
    taking = Taking()
    await taking.take(b"")
    await taking.take(b"")
    assert (taking.taken, taking.repeated) == (2, 0)


def test_ids() -> None:
    assert batch_id("0f" * 16) == b"\x0f" * 16
    assert [batch_id(text) for text in (None, "", "0f", "0F" * 16, "x" * 32)] == [b""] * 5
    assert fingerprint(Signal.TRACES, b"a") != fingerprint(Signal.METRICS, b"a")
    assert fingerprint(Signal.TRACES, b"a") == fingerprint(Signal.TRACES, b"a") != fingerprint(Signal.TRACES, b"b")
    assert fingerprint(Signal.LOGS, b"a") == b"", "equal lines may be two lines"
