"""Edges of spans that do not name them: as a join over everything would find them, in whatever order they come."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span, Status

from collector._columnar import encode_traces
from collector.pairs import Pairs, Tide
from collector.store.embedded import EmbeddedStore
from collector.store.migrate import Migration
from rootcause.load.recorded import SPANS
from rootcause.load.recorded_spans import messages
from tests.world import otlp_requests as world
from tests.world.collectors import collector
from tests.world.processes import until

RECORDED = Path(__file__).parents[3] / "shared" / "rca" / "nezha-trainticket" / "nezha-tt-001" / SPANS
WAIT_S = 600
# Far from the time after which ends are forgotten.
BEGIN = 4_000_000_000
KINDS = {
    "Unspecified": 0, "Internal": Span.SPAN_KIND_INTERNAL, "Server": Span.SPAN_KIND_SERVER,
    "Client": Span.SPAN_KIND_CLIENT, "Producer": Span.SPAN_KIND_PRODUCER, "Consumer": Span.SPAN_KIND_CONSUMER,
}  # fmt: skip


@dataclass(frozen=True)
class One:
    """A span; `parents` are numbers of others, of which a consumer links to all."""

    number: int
    service: str
    kind: str
    parents: tuple[int, ...] = ()
    failed: bool = False
    told: bool = False
    meshed: bool = False

    @property
    def id(self) -> bytes:
        return (self.number + 1).to_bytes(8, "big")

    @property
    def linked(self) -> bool:
        """Names its callers by links."""
        return self.kind == "Consumer" and len(self.parents) > 1


def otlp(spans: Sequence[One]) -> bytes:
    """The spans as a request; consumers name their producers by links."""
    whole = ExportTraceServiceRequest()
    for one in spans:
        ids = [(parent + 1).to_bytes(8, "big") for parent in one.parents]
        span = world.span(
            trace_id=b"t" * 16,
            span_id=one.id,
            parent_span_id=b"" if one.linked or not ids else ids[0],
            kind=KINDS[one.kind],
            status=Status(code=Status.STATUS_CODE_ERROR if one.failed else Status.STATUS_CODE_UNSET),
            trace_state=f"a=b,whymesh={ids[0].hex()}" if one.told and ids else "",
            links=[Span.Link(trace_id=b"t" * 16, span_id=id_) for id_ in ids] if one.linked else [],
            attributes=[world.attribute("mesh.destination.service", one.service)] if one.meshed else [],
        )
        whole.resource_spans.extend(world.request(span, service=one.service).resource_spans)
    return whole.SerializeToString()


Edges = Counter[tuple[str, str, str, bool]]


def joined(spans: Sequence[One]) -> Edges:
    """Reporter, source, destination, failed: each span against each other; those of the mesh as they say."""
    known = {one.number: one for one in spans if not one.meshed}
    edges: Edges = Counter()
    for one in (one for one in spans if one.meshed and one.kind in ("Client", "Server")):
        edges["source" if one.kind == "Client" else "destination", "", one.service, one.failed] += 1
    for one in known.values():
        if one.told and one.parents and not one.linked:
            continue
        for parent in dict.fromkeys(one.parents) or (None,):
            caller = known.get(parent) if parent is not None else None
            receives = one.kind in ("Server", "Consumer")
            sent = caller is not None and caller.kind in ("Client", "Producer")
            if receives if caller is None else caller.service != one.service or (receives and sent):
                edges["destination", caller.service if caller else "", one.service, one.failed] += 1
                if caller and sent:
                    edges["source", caller.service, one.service, caller.failed] += 1
    return edges


async def found(store: EmbeddedStore) -> Edges:
    rows = await store.ask(
        "SELECT Reporter AS r, Source AS s, Destination AS d, sum(Calls) AS calls, sum(Errors) AS errors"
        " FROM otel.mesh_edges GROUP BY r, s, d"
    )
    edges: Edges = Counter()
    for row in rows:
        edges[row["r"], row["s"], row["d"], True] += row["errors"]
        edges[row["r"], row["s"], row["d"], False] += row["calls"] - row["errors"]
    return +edges


class Clock:
    """The view over spans with a time of our own, and batches that follow it."""

    def __init__(self, store: EmbeddedStore) -> None:
        self.store = store
        self.now = BEGIN
        self._view = Migration.read("mesh_ends_mv").sql.partition(" AS\n")[2]

    def pairs(self) -> Pairs:
        return Pairs(self.store, self.store.ask, lambda: self.now, WAIT_S)

    async def arrive(self, body: bytes) -> None:
        """Stores spans as of now."""
        self.now += 1
        await self.store.change("TRUNCATE TABLE otel.otel_traces")
        for block in encode_traces(body).blocks:
            await self.store.insert("otel_traces", [block.data], uuid.uuid4().hex)
        await self.store.change(f"INSERT INTO otel.mesh_ends {self._view.replace('now()', f'toDateTime({self.now})')}")


@pytest.fixture
async def clock(tmp_path: Path) -> AsyncIterator[Clock]:
    store = EmbeddedStore.open(tmp_path / "data")
    try:
        await store.change("DROP VIEW otel.mesh_ends_mv")
        yield Clock(store)
    finally:
        await store.close()


@st.composite
def traces(draw: st.DrawFn) -> tuple[list[One], list[list[int]]]:
    """Spans that call one another, and the requests and batches in which they come, in any order."""
    spans = []
    for number in range(draw(st.integers(1, 8))):
        kind = draw(st.sampled_from(sorted(KINDS)))
        # A parent may be one that never comes.
        most = 2 if kind == "Consumer" else 1
        parents = draw(st.lists(st.sampled_from([*range(number), 99]), max_size=most, unique=True))
        spans.append(
            One(number, draw(st.sampled_from("abc")), kind, tuple(parents), *draw(st.tuples(*[st.booleans()] * 3)))
        )
    order = draw(st.permutations(range(len(spans))))
    cuts = sorted(draw(st.lists(st.integers(0, len(spans)), max_size=3)))
    bounds = [0, *cuts, len(spans)]
    return spans, [list(order[start:end]) for start, end in pairwise(bounds)]


@pytest.mark.parametrize("apart_s", [0, WAIT_S - 60])
async def test_any_order_gives_what_a_join_over_everything_gives(clock: Clock, apart_s: int) -> None:
    """Also when requests come minutes after one another, and when each batch is made by another process."""

    async def in_order(spans: list[One], groups: list[list[int]]) -> None:
        before = await found(clock.store)
        await clock.store.change("TRUNCATE TABLE otel.mesh_ends")
        for group in groups:
            if group:
                await clock.arrive(otlp([spans[number] for number in group]))
            await clock.pairs().once()
            clock.now += apart_s // len(groups)
        clock.now += WAIT_S + 1
        await clock.pairs().once()
        assert await found(clock.store) - before == joined(spans)

    loop = asyncio.get_running_loop()

    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    @given(drawn=traces())
    def every(drawn: tuple[list[One], list[list[int]]]) -> None:
        asyncio.run_coroutine_threadsafe(in_order(*drawn), loop).result(120)

    await asyncio.to_thread(every)


CALL = [One(0, "front", "Client"), One(1, "cart", "Server", (0,), failed=True)]


async def test_a_batch_that_was_interrupted_is_counted_once(clock: Clock) -> None:
    """After it was written, noted or counted: the next process begins with the last one that was noted."""
    await clock.arrive(otlp(CALL))
    await clock.pairs().once()
    for _ in range(3):
        clock.now += 1
        await clock.pairs().once()
    assert await found(clock.store) == joined(CALL)
    ((last,),) = [tuple(row.values()) for row in await clock.store.ask("SELECT max(Batch) AS b FROM otel.mesh_paired")]
    await clock.store.change(f"INSERT INTO otel.mesh_pairs (Batch, Entry) VALUES ({last + 1}, true)")
    await clock.arrive(otlp([One(2, "stock", "Server")]))
    await clock.pairs().once()
    assert await found(clock.store) == joined([*CALL, One(2, "stock", "Server")])


@pytest.mark.skipif(not RECORDED.is_file(), reason="no recorded incidents here")
async def test_a_recorded_incident(clock: Clock) -> None:
    """In requests as they were recorded, callees before callers or after."""
    bodies = list(messages(RECORDED))
    pairs = clock.pairs()
    for body in reversed(bodies):
        await clock.arrive(body)
        await pairs.once()
    clock.now += WAIT_S + 1
    await pairs.once()
    assert await found(clock.store) == joined(_recorded(bodies))


def _recorded(bodies: Sequence[bytes]) -> list[One]:
    """The same spans, by number."""
    names = {value: name for name, value in KINDS.items()}
    numbers: dict[tuple[bytes, bytes], int] = {}
    spans = []
    for group in (group for body in bodies for group in ExportTraceServiceRequest.FromString(body).resource_spans):
        for span in (span for scoped in group.scope_spans for span in scoped.spans):
            own, parent = (
                numbers.setdefault((span.trace_id, id_), len(numbers)) for id_ in (span.span_id, span.parent_span_id)
            )
            parents = (parent,) if span.parent_span_id else ()
            failed = span.status.code == Status.STATUS_CODE_ERROR
            spans.append(One(own, _service(group), names[span.kind], parents, failed))
    return spans


def _service(group: ResourceSpans) -> str:
    named = (one for one in group.resource.attributes if one.key == "service.name")
    return next(named).value.string_value


async def test_what_is_still_being_stored_is_left_for_later() -> None:
    now, go = [100.0], asyncio.Event()

    class Slow:
        async def insert(self, table: str, blocks: Sequence[bytes], token: str = "") -> int:
            await go.wait()
            return 0

        async def holds(self, table: str, blocks: Sequence[bytes]) -> bool:
            return False

    tide = Tide(Slow(), lambda: now[0])
    under_way = asyncio.create_task(tide.insert("otel_traces", []))
    await asyncio.sleep(0)
    now[0] = 160.0
    assert tide.until() == 99
    go.set()
    await under_way
    assert tide.until() == 159


def test_spans_of_applications_become_edges_of_the_graph(tmp_path: Path) -> None:
    with collector(tmp_path) as served:
        caller, callee = ([one] for one in CALL)
        assert served.send(otlp(callee)) == 200
        served.settle()
        assert served.send(otlp(caller)) == 200
        edges = (
            "SELECT Reporter, sum(Calls), sum(Errors) FROM otel.mesh_edges"
            " WHERE Source = 'front' AND Destination = 'cart' GROUP BY Reporter ORDER BY Reporter"
        )
        until(lambda: len(served.query(edges)) == 2, "both ends of the edge")
        assert served.query(edges) == [("destination", 1, 1), ("source", 1, 0)]


def test_without_pairing_nothing_is_kept_for_it(tmp_path: Path) -> None:
    config = tmp_path / "collector.yaml"
    config.write_text("pair_s: 0\n")
    ends = "SELECT count() FROM otel.mesh_ends"
    with collector(tmp_path, "--config", str(config)) as served:
        assert served.send(otlp(CALL)) == 200
        served.settle()
        assert served.query(ends) == [(0,)]
        assert served.process.terminate() == 0
    with collector(tmp_path) as served:
        assert served.send(otlp([One(7, "stock", "Server")])) == 200
        served.settle()
        assert served.query(ends) == [(1,)]
