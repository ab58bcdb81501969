"""Drops from the store, once a minute, what has been kept for long enough.

In: the parts of the tables. Out: their sizes as figures, and what was dropped, by table and cause.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge

from collector.keep.calendar import Calendar
from collector.keep.expiry import Drop, Part, Terms, overdue
from collector.store.errors import StoreError

log = logging.getLogger("whymesh.collector")

EVERY_S = 60.0


class Store(Protocol):
    """The tables."""

    async def parts(self) -> list[Part]: ...
    async def drop(self, drop: Drop) -> None: ...


class Keeper:
    """Sees to it that no more is kept than `terms` say."""

    def __init__(
        self, registry: CollectorRegistry, store: Store, terms: Terms, beside: Callable[[], int] = lambda: 0
    ) -> None:
        """`beside`: bytes on the same disk that count too, those of the log."""
        self._store = store
        self._terms = terms
        self._beside = beside
        self._sizes = Gauge("whymesh_collector_table_bytes", "Size on disk.", ("table",), registry=registry)
        self._forgotten = Counter(
            "whymesh_collector_forgotten_bytes", "Dropped for age or disk.", ("table", "cause"), registry=registry
        )

    async def watch(self) -> None:
        """Until cancelled."""
        calendar = Calendar()
        while True:
            try:
                await self.once(calendar.today())
            except StoreError as error:
                log.warning("nothing is dropped for now: %s", error)
            await asyncio.sleep(EVERY_S)

    async def once(self, today: date | None) -> None:
        """Without a day nothing is too old. Raises StoreError; what could be dropped before is dropped."""
        parts = await self._store.parts()
        sizes: dict[str, int] = {}
        for part in parts:
            sizes[part.table] = sizes.get(part.table, 0) + part.size
        terms = self._terms
        if terms.disk is not None:
            terms = replace(terms, disk=max(0, terms.disk - self._beside()))
        for drop in overdue(parts, today, terms):
            await self._store.drop(drop)
            self._forgotten.labels(drop.table, drop.cause).inc(drop.size)
            sizes[drop.table] -= drop.size
            log.info("dropped %s of %s, %d bytes (%s)", drop.part or drop.partition, drop.table, drop.size, drop.cause)
        self._sizes.clear()
        for table, size in sizes.items():
            self._sizes.labels(table).set(size)
