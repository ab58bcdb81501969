"""The demo with a person in front of it: reads the shop twice a second, shows it, and does what the keys say."""

from __future__ import annotations

import asyncio
import contextlib

import aiohttp
from rich.console import Console, RenderableType
from rich.live import Live

from deploy.demo.decisions import Decisions, decisions
from deploy.demo.faults import Faults
from deploy.demo.screen import SERVICES, Choice, Reading, keyboard, picture, press
from deploy.demo.shop import RunningShop
from deploy.local.ports import PortTaken
from deploy.local.supervise import StartFailed

EVERY_S = 1.0


class LiveDemo:
    """What is on the screen and what was selected on it."""

    def __init__(
        self, shop: RunningShop, faults: Faults, http: aiohttp.ClientSession, stop: asyncio.Event, *, ui: bool
    ) -> None:
        self._shop = shop
        self._faults = faults
        self._http = http
        self._stop = stop
        self._ui = ui
        self._selected = SERVICES[0]
        self._reading = Reading(decisions=Decisions() if shop.secured else None)
        self._deeds: set[asyncio.Task[None]] = set()

    async def stay(self, console: Console) -> None:
        """Until the operator quits; on a terminal with a live picture and keys, elsewhere silently."""
        if not console.is_terminal:
            await self._stop.wait()
            return
        with keyboard(self._press), Live(self._picture(), console=console, auto_refresh=False) as live:
            stopped = asyncio.create_task(self._stop.wait())
            while not stopped.done():
                await self._read()
                live.update(self._picture(), refresh=True)
                await asyncio.wait({stopped}, timeout=EVERY_S)

    def _picture(self) -> RenderableType:
        return picture(self._reading, self._faults.active, self._selected, self._shop.ports, ui=self._ui)

    def _press(self, key: str) -> None:
        choice = press(key, self._selected)
        self._selected = choice.selected
        if choice.quit:
            self._stop.set()
        elif choice.order or choice.heal:
            deed = asyncio.create_task(self._do(choice))
            self._deeds.add(deed)
            deed.add_done_callback(self._deeds.discard)

    async def _do(self, choice: Choice) -> None:
        try:
            if choice.order:
                self._reading.message = f"ordered: {choice.order}"
                await self._faults.inject(choice.order)
            else:
                self._reading.message = f"healing {choice.selected}"
                await self._faults.clear(choice.selected)
        except (StartFailed, PortTaken, aiohttp.ClientError, TimeoutError) as error:
            self._reading.message = f"not done: {error}"

    async def _read(self) -> None:
        """Asks everyone who has a figure; one who does not answer leaves the last one on the screen."""
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            self._reading.load = await self._shop.load_stats(self._http)
            counted = await self._shop.proxy_stats(self._http)
            if self._shop.secured:
                self._reading.decisions = decisions(counted)
            records = [stats["records"] for stats in counted]
            self._reading.spans = sum(record["recorded"] for record in records)
            self._reading.spans_dropped = sum(sum(record["dropped"].values()) for record in records)
            async with self._http.get(f"{self._shop.ports.url('rootcause')}/v1/why") as answer:
                self._reading.why = await answer.json()
