"""Between log and store: what matters is stored whole, everything is counted once, however often it is interrupted."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from prometheus_client import CollectorRegistry

from collector.beside import beside
from collector.drops import Drops
from collector.encode import Encoder
from collector.receive.request import Form, Request, Taken
from collector.receive.signals import Signal
from collector.sample.figures import Figures
from collector.sample.named import named
from collector.sample.sampler import Sampler
from collector.sample.terms import NS, TailPart
from collector.store.embedded import EmbeddedStore
from collector.store.errors import StoreUnavailable
from collector.wal.log import Log
from collector.wal.policy import Policy
from collector.write.deliver import Delivery
from collector.write.group import Group, Limits, Waiting
from collector.write.resume import Resume
from collector.write.settle import Ledger
from collector.write.writers import Writers
from tests.world import otlp_requests as world
from tests.world.otlp_sink import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

EDGE = [world.attribute("mesh.source.service", "front"), world.attribute("mesh.destination.service", "cart")]
ORDINARY = 400
FAILED, SLOW = ORDINARY + 1, ORDINARY + 2


def call(trace: int, *, ms: int = 10, failed: bool = False) -> Span:
    return world.span(
        trace_id=trace.to_bytes(16, "big"),
        end_time_unix_nano=world.START_NS + ms * 1_000_000,
        attributes=EDGE,
        status=Status(code=Status.STATUS_CODE_ERROR if failed else Status.STATUS_CODE_UNSET),
    )


def request(*spans: Span) -> Request:
    return Request(Signal.TRACES, world.request(*spans, service="cart").SerializeToString(), Form(), 1)


def ordinary() -> Request:
    """Traces of two spans each."""
    return request(*(call(trace) for trace in range(1, ORDINARY + 1) for _ in range(2)))


@dataclass
class Behind:
    """A store that may be away, or do its work without being able to say so."""

    store: EmbeddedStore
    away: bool = False
    mute: bool = False
    tables: list[str] = field(default_factory=list)

    async def insert(self, table: str, blocks: Sequence[bytes], token: str = "") -> int:
        if self.away:
            raise StoreUnavailable("away")
        rows = await self.store.insert(table, blocks, token)
        self.tables.append(table)
        if self.mute:
            raise StoreUnavailable("its answer was lost")
        return rows

    async def holds(self, table: str, blocks: Sequence[bytes]) -> bool:
        return await self.store.holds(table, blocks)

    def inserted(self, group: Group, seconds: float, error: Exception | None) -> None: ...
    def unstorable(self, member: Waiting, reason: str) -> None: ...


@dataclass
class Parts:
    log: Log
    encoder: Encoder
    sampler: Sampler
    registry: CollectorRegistry
    now: int = 1

    async def take(self, *requests: Request) -> None:
        for one in requests:
            await self.sampler.keep(one, await self.encoder.encode(one), Taken())

    async def passes(self, seconds: float) -> None:
        self.now += round(seconds * NS)
        await self.sampler.once()

    async def settle(self) -> None:
        await self.passes(60)
        await eventually(lambda: self.log.requests == 0, "all to be stored")

    def figure(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(f"whymesh_collector_tail_{name}", labels) or 0


@contextlib.asynccontextmanager
async def sampling(folder: Path, store: Behind, *, on: bool = True, **terms: Any) -> AsyncIterator[Parts]:
    """A process, as it begins and ends; without tail sampling when not `on`."""
    log = Log.open(folder / "wal", folder, Policy())
    await log.start()
    ledger = Ledger(log)
    writers = Writers(store.insert, ledger, store, Limits(wait_s=0.01, stop_s=0.2))
    with ThreadPoolExecutor(1) as threads:
        encoder = Encoder(threads, 1 << 24, facts=on)
        delivery = Delivery(log, ledger, writers, encoder, Drops(CollectorRegistry()))
        registry = CollectorRegistry()
        tail = TailPart.model_validate({"rare": 0, **terms}).tail(1 << 30)
        parts = Parts(log, encoder, Sampler(tail, log, delivery, Figures(registry), lambda: parts.now), registry)
        delivery.start(Resume(log, store, [encoder], lambda: None), later=log.recovered.undecided if on else ())
        if on:
            await parts.sampler.resume(encoder)
        yield parts
        await delivery.close()
        await writers.drain()
    await log.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tables(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedStore]:
    store = EmbeddedStore.open(tmp_path_factory.mktemp("tables"))
    try:
        yield store
    finally:
        await store.close()


@pytest_asyncio.fixture(loop_scope="module")
async def store(tables: EmbeddedStore) -> Behind:
    for table in ("otel_traces", "mesh_edges", "mesh_routes"):
        await tables.change(f"TRUNCATE TABLE otel.{table}")
    return Behind(tables)


async def one(store: Behind, sql: str) -> dict[str, Any]:
    (row,) = await store.store.ask(sql)
    return row


async def traces(store: Behind) -> dict[int, tuple[int, str]]:
    """Stored spans of each trace, and what each stands for."""
    sql = (
        "SELECT TraceId AS id, count() AS spans, groupUniqArray(SpanAttributes['mesh.adjusted_count']) AS stands,"
        " uniqExact(SpanId) AS ids FROM otel.otel_traces GROUP BY id"
    )
    found = {}
    for row in await store.store.ask(sql):
        (stands,) = row["stands"]
        assert row["ids"] == row["spans"], "no span twice"
        found[int(row["id"], 16)] = (row["spans"], stands)
    return found


async def counted(store: Behind) -> tuple[int, int]:
    calls = await one(store, "SELECT sum(Calls) AS calls FROM otel.mesh_edges WHERE Reporter = 'destination'")
    routes = await one(store, "SELECT sum(Calls) AS calls FROM otel.mesh_routes")
    return calls["calls"], routes["calls"]


async def test_what_matters_is_stored_whole_and_everything_is_counted(tmp_path: Path, store: Behind) -> None:
    async with sampling(tmp_path, store, sample=0.25) as parts:
        await parts.take(ordinary(), request(call(FAILED), call(SLOW)))
        await parts.passes(9)
        await parts.take(request(call(FAILED, failed=True), call(SLOW, ms=9_000)))
        assert parts.figure("waiting_spans") == 2 * ORDINARY + 2
        await parts.settle()
        kept, sampled = (parts.figure("spans_total", decision=name) for name in ("kept", "sampled"))
        assert parts.figure("traces_total", decision="failed") == parts.figure("traces_total", decision="slow") == 1
    left = await traces(store)
    assert (kept, sampled) == (4, sum(spans for spans, _ in left.values()) - 4)
    assert (left.pop(FAILED), left.pop(SLOW)) == ((2, ""), (2, "")), "whole, whichever span came last"
    assert set(left.values()) == {(2, "4")}
    assert 0.7 * ORDINARY < 4 * len(left) < 1.3 * ORDINARY, "weights add up to what was sent"
    assert await counted(store) == (2 * ORDINARY + 4, 2 * ORDINARY + 4)
    sums = await one(store, "SELECT sum(DurationSum) AS took, argMaxMerge(SlowTrace) AS slow FROM otel.mesh_edges")
    assert sums == {"took": (2 * ORDINARY + 3) * 10**7 + 9 * 10**9, "slow": f"{SLOW:032x}"}


async def test_only_stored_traces_become_examples(tmp_path: Path, store: Behind) -> None:
    async with sampling(tmp_path, store, sample=0) as parts:
        await parts.take(request(call(1, ms=500)), request(call(2, failed=True)))
        await parts.settle()
    example = await one(store, "SELECT argMaxMerge(SlowTrace) AS slow, max(ErrorTrace) AS failed FROM otel.mesh_routes")
    assert example == {"slow": f"{2:032x}", "failed": f"{2:032x}"}


async def test_an_insert_whose_answer_was_lost_is_counted_once(tmp_path: Path, store: Behind) -> None:
    """In the same process and in the next, which learns from the log what had begun."""
    async with sampling(tmp_path, store, sample=0.5) as parts:
        await parts.take(ordinary())
        store.mute = True
        await parts.passes(60)
        await eventually(lambda: set(store.tables) == {"otel_traces", "mesh_unkept"}, "both inserts")
        await eventually(lambda: max(map(store.tables.count, store.tables)) > 1, "one of them again")
    store.mute = False
    async with sampling(tmp_path, store, sample=0.5) as parts:
        assert (len(parts.log.recovered.requests), parts.log.recovered.undecided) == (1, [])
        await parts.settle()
    assert await counted(store) == (2 * ORDINARY, 2 * ORDINARY)
    assert set((await traces(store)).values()) == {(2, "2")}


async def test_what_was_decided_stays_decided_and_what_waited_waits_anew(tmp_path: Path, store: Behind) -> None:
    store.away = True
    async with sampling(tmp_path, store, sample=0) as parts:
        await parts.take(ordinary())
        await parts.passes(9)
        await parts.take(request(call(FAILED)))
        await parts.passes(2)
    store.away = False
    async with sampling(tmp_path, store, sample=1) as parts:
        assert len(parts.log.recovered.undecided) == 1
        await parts.take(request(call(FAILED, failed=True)))
        await parts.settle()
    assert await traces(store) == {FAILED: (2, "")}
    assert await counted(store) == (2 * ORDINARY + 2, 2 * ORDINARY + 2)


async def test_without_tail_sampling_what_waited_is_stored_whole(tmp_path: Path, store: Behind) -> None:
    async with sampling(tmp_path, store, sample=0) as parts:
        await parts.take(request(call(1), call(2)))
    async with sampling(tmp_path, store, on=False) as parts:
        await eventually(lambda: parts.log.requests == 0, "all to be stored")
    assert await traces(store) == {1: (1, ""), 2: (1, "")}
    assert await counted(store) == (2, 2)


async def test_bounds_decide_early_and_late_spans_follow(tmp_path: Path, store: Behind) -> None:
    async with sampling(tmp_path, store, sample=0, spans=3) as parts:
        await parts.take(request(call(1), call(2, failed=True)), request(call(3), call(1)))
        await parts.passes(0.25)
        assert (parts.figure("early_traces_total"), parts.figure("waiting_spans")) == (2, 2)
        await parts.settle()
        await parts.take(request(call(2), call(3), call(1, failed=True)))
        await parts.settle()
        assert parts.figure("late_spans_total") == 3
    assert await traces(store) == {1: (1, ""), 2: (2, "")}, "a late span that failed is stored all the same"
    assert await counted(store) == (7, 7)


async def test_pinned_traces_and_those_of_incidents_are_named(store: Behind) -> None:
    pinned, blamed = f"{7:032x}", f"{8:032x}"
    await store.store.change(f"INSERT INTO otel.mesh_pins (TraceId, Time) VALUES ('{pinned}', now64(3))")
    finding = f"INSERT INTO otel.mesh_incidents (Id, UpdatedAt, Finding) VALUES ('i', now64(3), '[\"{blamed}\"]')"
    await store.store.change(finding)
    told: list[list[str]] = []
    async with beside(named(store.store.ask, told.append), "named"):
        await eventually(lambda: bool(told), "names")
    assert sorted(told[0]) == [pinned, blamed]
