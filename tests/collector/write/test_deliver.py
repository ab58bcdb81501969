"""From the log to the store and back to an empty log: what does not fit in memory waits on disk; ends are made good."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from collector import _columnar as columnar
from collector.drops import Drops
from collector.encode import Encoder
from collector.receive.request import Form, Request, Taken
from collector.receive.signals import Signal
from collector.store.embedded import EmbeddedStore
from collector.store.errors import StoreUnavailable
from collector.store.running import Request as Query
from collector.wal.log import Log
from collector.wal.policy import Policy
from collector.wal.record import Outcome, Partition
from collector.write.deliver import Delivery
from collector.write.group import Group, Limits, Waiting, partition_of
from collector.write.resume import Resume
from collector.write.settle import Ledger
from collector.write.writers import Writers
from tests.world import otlp_requests as world
from tests.world.otlp_sink import eventually


@dataclass
class Store:
    """Keeps what it is given, unless it is away."""

    away: bool = False
    inserts: list[tuple[str, Sequence[bytes], str]] = field(default_factory=list)

    async def insert(self, table: str, blocks: Sequence[bytes], token: str = "") -> int:
        if self.away:
            raise StoreUnavailable("away")
        self.inserts.append((table, blocks, token))
        return len(blocks)

    async def holds(self, table: str, blocks: Sequence[bytes]) -> bool:
        return any(set(kept) >= set(blocks) for _, kept, _ in self.inserts)

    def inserted(self, group: Group, seconds: float, error: Exception | None) -> None: ...
    def unstorable(self, member: Waiting, reason: str) -> None: ...


@dataclass
class Parts:
    log: Log
    encoder: Encoder
    writers: Writers
    delivery: Delivery
    resume: Resume

    async def take(self, request: Request) -> None:
        await self.delivery.keep(request, await self.encoder.encode(request), Taken())

    async def partition(self, request: Request) -> Partition:
        """The one it goes to."""
        (block,) = (await self.encoder.encode(request)).blocks
        return partition_of(block)


@contextlib.asynccontextmanager
async def delivering(folder: Path, store: Store | EmbeddedStore, observer: Store) -> AsyncIterator[Parts]:
    log = Log.open(folder / "wal", folder, Policy())
    await log.start()
    ledger = Ledger(log)
    limits = Limits(wait_s=0.01, queue_bytes=20_000, stop_s=0.1)
    writers = Writers(store.insert, ledger, observer, limits)
    with ThreadPoolExecutor(1) as threads:
        encoder = Encoder(threads, 1 << 20)
        delivery = Delivery(log, ledger, writers, encoder, Drops(CollectorRegistry()))
        yield Parts(log, encoder, writers, delivery, Resume(log, store, [encoder], lambda: None))
        await delivery.close()
        await writers.drain()
    await log.close()


def request(spans: int = 20) -> Request:
    body = world.request(*(world.span() for _ in range(spans))).SerializeToString()
    return Request(Signal.TRACES, body, Form(), 1)


async def test_what_has_no_room_in_memory_waits_on_disk(tmp_path: Path) -> None:
    store = Store(away=True)
    async with delivering(tmp_path, store, store) as parts:
        parts.delivery.start(parts.resume)
        for _ in range(50):
            await parts.take(request())
        assert parts.delivery.on_disk > 30
        assert parts.writers.held_bytes < 30_000
        store.away = False
        await eventually(lambda: parts.log.requests == 0, "all to be stored")
    assert len({block for _, blocks, _ in store.inserts for block in blocks}) == 50
    assert sum(len(blocks) for _, blocks, _ in store.inserts) == 50


async def test_the_next_process_stores_what_is_left(tmp_path: Path) -> None:
    store = Store(away=True)
    async with delivering(tmp_path, store, store) as parts:
        parts.delivery.start(parts.resume)
        await asyncio.gather(*(parts.take(request()) for _ in range(20)))
    assert store.inserts == []
    store.away = False
    async with delivering(tmp_path, store, store) as parts:
        parts.delivery.start(parts.resume)
        await parts.take(request())
        await eventually(lambda: parts.log.requests == 0, "all to be stored")
    assert sum(len(blocks) for _, blocks, _ in store.inserts) == 21


async def test_an_insert_that_had_begun_is_made_once(tmp_path: Path) -> None:
    """Both ends: the store took it and the process ended before the note, or it never got there."""
    store = EmbeddedStore.open(tmp_path / "data")
    try:
        async with delivering(tmp_path, store, Store()) as parts:
            taken, lost = request(5), request(7)
            for one, token in ((taken, b"a" * 16), (lost, b"b" * 16)):
                number = await parts.log.append(one, 1, Taken())
                await parts.log.inserting(token, await parts.partition(one), (number,))
            blocks: tuple[columnar.Block, ...] = (await parts.encoder.encode(taken)).blocks
            await store.insert("otel_traces", [block.data for block in blocks], (b"a" * 16).hex())
        async with delivering(tmp_path, store, Store()) as parts:
            assert len(parts.log.recovered.open) == 2
            parts.delivery.start(parts.resume)
            await eventually(lambda: parts.log.requests == 0, "all to be stored")
        assert await count(store, "SELECT count() FROM otel.otel_traces") == 12
        assert await count(store, "SELECT count() FROM otel.otel_traces_trace_id_ts") == 12
    finally:
        await store.close()


async def test_after_a_loss_of_power_what_the_store_lost_is_stored_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log says of both that they are stored; the store has one of them, and neither token."""
    store = EmbeddedStore.open(tmp_path / "data")
    try:
        async with delivering(tmp_path, store, Store()) as parts:
            kept, lost = request(5), request(7)
            for one, token in ((kept, b"a" * 16), (lost, b"b" * 16)):
                number = await parts.log.append(one, 1, Taken())
                await parts.log.inserting(token, await parts.partition(one), (number,))
                parts.log.settled(token, Outcome.STORED)
            blocks: tuple[columnar.Block, ...] = (await parts.encoder.encode(kept)).blocks
            await store.insert("otel_traces", [block.data for block in blocks])
        for boot, left in ((b"2" * 16, 2), (b"2" * 16, 0)):
            monkeypatch.setattr("collector.wal.log.boot_id", lambda boot=boot: boot)
            monkeypatch.setattr("collector.wal.recover.boot_id", lambda boot=boot: boot)
            async with delivering(tmp_path, store, Store()) as parts:
                assert len(parts.log.recovered.doubted) == left
                parts.delivery.start(parts.resume)
                await eventually(lambda: parts.log.requests == 0, "all to be stored")
            assert await count(store, "SELECT count() FROM otel.otel_traces") == 12
    finally:
        await store.close()


async def count(store: EmbeddedStore, sql: str) -> int:
    running = await store.start(Query(sql, format="TabSeparated"))
    try:
        chunk = await running.next()
        assert chunk is not None
        return int(chunk.data)
    finally:
        await running.close()
