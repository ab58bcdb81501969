"""Holds spans back in the log until it is decided which of them are stored; all of them are counted.

In: requests of spans. Out: the same requests at the delivery, with what becomes of each span noted in the log before
anything of them is stored. Never: a request that waits in memory alone; a decision that another process could take
anew once spans were stored by it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from collector import _columnar as columnar
from collector.encode import Encoder
from collector.errors import LogUnwritable, Refused
from collector.receive.request import Request, Taken
from collector.receive.signals import Signal
from collector.sample.figures import Figures
from collector.wal.log import Log
from collector.wal.record import UNDECIDED, Damaged, Decided
from collector.write.deliver import Delivery

log = logging.getLogger("whymesh.collector")

EVERY_S = 0.25


class Sampler:
    """Between ingest and delivery. Belongs to one event loop."""

    def __init__(
        self,
        tail: columnar.Tail,
        wal: Log,
        delivery: Delivery,
        figures: Figures,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """The clock only runs: what the wall clock does changes no decision."""
        self._tail = tail
        self._wal = wal
        self._delivery = delivery
        self._figures = figures
        self._clock = clock
        self._decided: list[Decided] = []

    async def keep(self, request: Request, encoded: columnar.Encoded, taken: Taken) -> None:
        """Returns once the request is on disk. Raises LogFull, LogUnwritable."""
        if request.signal is not Signal.TRACES or request.form.own or encoded.facts is None:
            await self._delivery.keep(request, encoded, taken)
            return
        number = await self._wal.append(request, UNDECIDED, taken)
        self._tail.see(number, len(request.body), encoded.facts, self._clock())

    async def resume(self, encoder: Encoder) -> None:
        """Lets requests wait that an earlier process has not decided; they wait anew, for more may come."""
        for number in self._wal.recovered.undecided:
            try:
                request = await self._wal.read(number)
                facts = (await encoder.encode(request)).facts
            except (OSError, Damaged, Refused):
                facts = None
            if facts is None:
                self._delivery.go_on([number])  # which meets the same error, and counts it
            else:
                self._tail.see(number, len(request.body), facts, self._clock())

    def name(self, traces: list[str]) -> None:
        """These traces stay, by their ids, and no longer those named before."""
        self._tail.name(traces)

    async def watch(self) -> None:
        """Decides what is due, until cancelled; what waits then stays in the log."""
        while True:
            await self.once()
            await asyncio.sleep(EVERY_S)

    async def once(self) -> None:
        """Decides what is due; what cannot be noted on a failing disk is tried again the next time."""
        due = self._tail.due(self._clock())
        self._decided += [Decided(number, verdict) for number, verdict in due]
        self._figures.show(self._tail.tally(), self._tail.waiting())
        if not self._decided:
            return
        try:
            await self._wal.decided(self._decided)
        except LogUnwritable as error:
            log.warning("spans wait although they are decided: %s", error)
            return
        numbers, self._decided = [one.number for one in self._decided], []
        self._delivery.go_on(numbers)
