"""Thins days that are old enough to what matters of them, one at a time, and begins again where it was interrupted.

In: the parts of otel_traces, what was thinned before. Out: fewer rows, mesh_kept, mesh_thinned, figures. Never: a
change begun while one is under way; a day counted as done before all of its tables are.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import date, timedelta
from typing import Any, Protocol

from prometheus_client import CollectorRegistry, Counter

from collector.keep.calendar import Calendar
from collector.keep.expiry import Part
from collector.keep.matters import Matters, changes, decide
from collector.store.errors import StoreError

log = logging.getLogger("whymesh.collector")

EVERY_S = 60.0
_AGAIN_S = 0.25
_UNFINISHED = "SELECT count() AS changes, any(latest_fail_reason) AS reason FROM system.mutations WHERE NOT is_done"

Ask = Callable[[str], Awaitable[list[dict[str, Any]]]]


class Store(Protocol):
    """The tables."""

    async def parts(self) -> list[Part]: ...
    async def change(self, sql: str) -> None: ...


def due(parts: Iterable[Part], done: Mapping[date, int], today: date, terms: Matters) -> dict[date, int]:
    """Days that are old enough and have spans which were not looked at, with their newest block."""
    newest: dict[date, int] = {}
    for part in parts:
        if part.table == "otel_traces" and part.day < today - timedelta(days=terms.after_days):
            newest[part.day] = max(part.order, newest.get(part.day, part.order))
    return {day: block for day, block in sorted(newest.items()) if block > done.get(day, -1)}


class Thinner:
    """`ask` reads the store."""

    def __init__(self, registry: CollectorRegistry, store: Store, ask: Ask, terms: Matters) -> None:
        self._store = store
        self._ask = ask
        self._terms = terms
        self._thinned = Counter(
            "whymesh_collector_thinned_spans", "Ordinary spans of old days that went.", registry=registry
        )

    async def watch(self) -> None:
        """Until cancelled."""
        calendar = Calendar()
        while True:
            try:
                today = calendar.today()
                if today is not None:
                    await self.once(today)
            except StoreError as error:
                log.warning("nothing is thinned for now: %s", error)
            await asyncio.sleep(EVERY_S)

    async def once(self, today: date) -> None:
        """Thins what is due, and returns when it is done. Raises StoreError."""
        await self._finished()
        done = {
            date.fromisoformat(row["Day"]): int(row["Block"])
            for row in await self._ask("SELECT Day, Block FROM otel.mesh_thinned FINAL")
        }
        for day, block in due(await self._store.parts(), done, today, self._terms).items():
            await self._thin(day, block, today)

    async def _thin(self, day: date, block: int, today: date) -> None:
        before = await self._count(day)
        await self._store.change(decide(day, self._terms))
        # What came while it was decided is decided too.
        while (newest := due(await self._store.parts(), {}, today, self._terms).get(day, block)) > block:
            block = newest
            await self._store.change(decide(day, self._terms))
        for change in changes(day, self._terms):
            await self._store.change(change)
            await self._finished()
        after = await self._count(day)
        await self._store.change(
            f"INSERT INTO otel.mesh_thinned (Day, Block, Before, After) VALUES ('{day}', {block}, {before}, {after})"
        )
        self._thinned.inc(max(0, before - after))
        log.info("thinned %s: %d spans of %d stay", day, after, before)

    async def _count(self, day: date) -> int:
        counted = await self._ask(f"SELECT count() AS rows FROM otel.otel_traces WHERE toDate(Timestamp) = '{day}'")
        return int(counted[0]["rows"])

    async def _finished(self) -> None:
        """Returns once no change is under way, be it one of an earlier process."""
        told = ""
        while (found := (await self._ask(_UNFINISHED))[0])["changes"]:
            if found["reason"] and found["reason"] != told:
                told = found["reason"]
                log.warning("thinning does not get on, ClickHouse tries again: %s", told)
            await asyncio.sleep(_AGAIN_S)
