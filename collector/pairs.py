"""Finds who called whom where spans do not say so, and adds it to mesh_edges, once a span.

In: mesh_ends, which a view fills with spans that carry no mesh.* attributes. Out: rows of mesh_edges. Never: an edge
counted twice, be it by a span of the mesh, after a crash, or since parent and child came at different times.

A span waits for its caller, which may come in a later batch; after `wait_s` it counts as called from outside. Each
batch is written as a whole, noted, and then counted under a deduplication token of its own: a crash in between is made
good by counting the last batch again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from collector.store.errors import StoreError
from collector.store.upkeep import UNKEPT

log = logging.getLogger("whymesh.collector")

EVERY_S = 5.0
# Well below what mesh_ends holds.
LONGEST_WAIT_S = 1_200

_SPANS = ("otel_traces", UNKEPT)

Ask = Callable[[str], Awaitable[list[dict[str, Any]]]]


class Store(Protocol):
    """The tables."""

    async def change(self, sql: str) -> None: ...


async def unwatch(store: Store) -> None:
    """Until the next start pairing costs nothing; spans that come meanwhile are never paired. Raises StoreError."""
    for view in ("mesh_ends_mv", "mesh_unkept_ends_mv"):
        await store.change(f"DETACH TABLE IF EXISTS otel.{view}")


class Inserts(Protocol):
    """Where spans are stored."""

    async def insert(self, table: str, blocks: Sequence[bytes], token: str = "") -> int: ...
    async def holds(self, table: str, blocks: Sequence[bytes]) -> bool: ...


class Tide:
    """Knows up to when everything that was being stored is there, since all of it comes by here. Of one event loop."""

    def __init__(self, store: Inserts, clock: Callable[[], float] = time.time) -> None:
        self.holds = store.holds
        self._insert = store.insert
        self._clock = clock
        self._begun: set[float] = set()

    async def insert(self, table: str, blocks: Sequence[bytes], token: str = "") -> int:
        """As the store's."""
        if table not in _SPANS:
            return await self._insert(table, blocks, token)
        begun = self._clock()
        while begun in self._begun:
            begun += 1e-6
        self._begun.add(begun)
        try:
            return await self._insert(table, blocks, token)
        finally:
            self._begun.discard(begun)

    def until(self) -> int:
        """Whole seconds since 1970: rows that say they were stored then or before are there."""
        return int(min(self._begun, default=self._clock())) - 1


class Pairs:
    """`until` is that of a Tide; `ask` reads the store."""

    def __init__(self, store: Store, ask: Ask, until: Callable[[], int], wait_s: int) -> None:
        self._store = store
        self._ask = ask
        self._until = until
        self._wait_s = wait_s
        self._last: tuple[int, int] | None = None

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.once()
            except StoreError as error:
                log.warning("calls between spans without mesh.* are not counted for now: %s", error)
                self._last = None
            await asyncio.sleep(EVERY_S)

    async def once(self) -> None:
        """One batch. Raises StoreError; what was begun is completed the next time."""
        if self._last is None:
            self._last = await self._resume()
        batch, since = self._last
        until = self._until()
        if until <= since:
            return
        if not await self._any(batch, since, until):
            return
        batch += 1
        await self._store.change(_pair(batch, since, until, self._wait_s))
        await self._store.change(f"INSERT INTO otel.mesh_paired VALUES ({batch}, {until})")
        await self._store.change(_count(batch))
        self._last = (batch, until)
        await self._forget(batch)

    async def _resume(self) -> tuple[int, int]:
        """The last whole batch, counted, and nothing of one after it."""
        (last,) = await self._ask(
            "SELECT max(Batch) AS batch, toUnixTimestamp(max(Until)) AS until FROM otel.mesh_paired"
        )
        batch, until = int(last["batch"]), int(last["until"])
        for row in await self._ask(f"SELECT DISTINCT Batch AS batch FROM otel.mesh_pairs WHERE Batch > {batch}"):
            await self._store.change(f"ALTER TABLE otel.mesh_pairs DROP PARTITION {row['batch']}")
        if batch:
            await self._store.change(_count(batch))
        return batch, until

    async def _any(self, batch: int, since: int, until: int) -> bool:
        sql = (
            f"SELECT (SELECT count() FROM otel.mesh_ends WHERE {_slice(since, until)}) +"
            f" (SELECT count() FROM otel.mesh_pairs WHERE Batch = {batch} AND Waiting) AS some"
        )
        return bool((await self._ask(sql))[0]["some"])

    async def _forget(self, batch: int) -> None:
        """Of batches only the last is needed."""
        old = f"SELECT DISTINCT Batch AS batch FROM otel.mesh_pairs WHERE Batch < {batch}"
        for row in await self._ask(old):
            await self._store.change(f"ALTER TABLE otel.mesh_pairs DROP PARTITION {row['batch']}")


def _slice(since: int, until: int) -> str:
    return f"Inserted > toDateTime({since}) AND Inserted <= toDateTime({until})"


_END = "Inserted, CallerTraceId, CallerSpanId, Service, Version, Instance, Kind, Route, Bucket, Duration, Failed"
_KEY = (
    "Bucket, Reporter, Source, SourceVersion, SourceInstance,"
    " Destination, DestinationVersion, DestinationInstance, Route"
)
_CALLER = "Service, Version, Instance, Kind, Bucket, Duration, Failed"


def _pair(batch: int, since: int, until: int, wait_s: int) -> str:
    """Each span of the slice, and each that waited, with its caller if that is there."""
    fields = ", ".join(f"End.{name} AS {name}" for name in _END.split(", "))
    return f"""
INSERT INTO otel.mesh_pairs
WITH spans AS
(
    SELECT {_END} FROM otel.mesh_ends
    WHERE {_slice(since, until)} AND NOT Told AND (CallerSpanId != '' OR Kind IN ('Server', 'Consumer'))
    UNION ALL
    SELECT {fields} FROM otel.mesh_pairs WHERE Batch = {batch - 1} AND Waiting
)
SELECT
    {batch} AS Batch,
    caller.SpanId = '' AND CallerSpanId != '' AND Inserted > toDateTime({until - wait_s}) AS Waiting,
    multiIf(
        caller.SpanId = '', Kind IN ('Server', 'Consumer'),
        caller.Service != Service, true,
        Kind IN ('Server', 'Consumer') AND caller.Kind IN ('Client', 'Producer')
    ) AS Entry,
    ({", ".join(f"spans.{name}" for name in _END.split(", "))}) AS End,
    ({", ".join(f"caller.{name}" for name in _CALLER.split(", "))}) AS Caller
FROM spans
LEFT ANY JOIN
(
    SELECT TraceId, SpanId, {_CALLER} FROM otel.mesh_ends
    WHERE Place = 0 AND (TraceId, SpanId) IN (SELECT CallerTraceId, CallerSpanId FROM spans)
) AS caller ON spans.CallerTraceId = caller.TraceId AND spans.CallerSpanId = caller.SpanId
"""


def _count(batch: int) -> str:
    """The callee's view of each call, and the caller's where the caller has a span of its own for it."""
    return f"""
INSERT INTO otel.mesh_edges
SELECT
    seen.2 AS Bucket,
    seen.1 AS Reporter,
    Caller.Service AS Source,
    Caller.Version AS SourceVersion,
    Caller.Instance AS SourceInstance,
    End.Service AS Destination,
    End.Version AS DestinationVersion,
    End.Instance AS DestinationInstance,
    End.Route AS Route,
    count() AS Calls,
    countIf(seen.4) AS Errors,
    0 AS MeshErrors,
    sum(seen.3) AS DurationSum,
    0 AS ConnectSum,
    quantilesDDState(0.01, 0.5, 0.9, 0.95, 0.99)(seen.3) AS Durations,
    map() AS Reasons,
    argMaxState(End.CallerTraceId, seen.3) AS SlowTrace,
    maxIf(End.CallerTraceId, seen.4) AS ErrorTrace
FROM otel.mesh_pairs
ARRAY JOIN arrayFilter(
    view -> view.1 != '',
    [
        ('destination', End.Bucket, End.Duration, End.Failed),
        (if(Caller.Kind IN ('Client', 'Producer'), 'source', ''), Caller.Bucket, Caller.Duration, Caller.Failed)
    ]
) AS seen
WHERE Batch = {batch} AND Entry AND NOT Waiting
GROUP BY {_KEY}
ORDER BY {_KEY}
SETTINGS insert_deduplicate = 1, insert_deduplication_token = 'pairs-{batch}', max_partitions_per_insert_block = 0,
    max_threads = 1
"""
