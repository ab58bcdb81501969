"""What a service lets in: rates to the token, as many at once as it can serve, nothing new while the proxy is late."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from proxy._engine import SnapshotRefused
from proxy.metrics import render
from proxy.snapshot.gate import Concurrency, Gate, RateKey, RateLimit, Shedding, Spared
from tests.world.apps import Handler, app, dial, head
from tests.world.engines import Sidecar, sidecar
from tests.world.otlp_sink import OtlpSink, eventually


async def _ok(request: web.Request) -> web.StreamResponse:
    return web.Response(text="ok")


@dataclass
class Shop:
    """The proxy beside `shop`, with a gate that changes live, and who asks it."""

    back: Sidecar
    session: aiohttp.ClientSession

    async def let_in(self, **parts: Any) -> None:
        inbound = self.back.workload.inbound
        assert inbound
        await self.back.change(inbound=inbound.model_copy(update={"gate": Gate(**parts)}))

    async def ask(self, **headers: str) -> tuple[int, dict[str, str]]:
        async with self.session.get(f"http://{self.back.inbound}/", headers=headers) as response:
            await response.read()
            return response.status, {name.lower(): value for name, value in response.headers.items()}

    async def statuses(self, count: int, **headers: str) -> Counter[int]:
        return Counter([(await self.ask(**headers))[0] for _ in range(count)])

    def values(self, policy: str) -> dict[str, int]:
        (found,) = [one for one in self.back.stats()["policies"] if one["policy"] == policy]
        assert found["service"] == "shop"
        values: dict[str, int] = found["values"]
        return values


@asynccontextmanager
async def running(handler: Handler, sink: OtlpSink) -> AsyncIterator[Shop]:
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        app(handler) as address,
        sidecar("shop", app=address, telemetry=sink.url) as back,
        aiohttp.ClientSession(connector=connector) as session,
    ):
        yield Shop(back, session)


@pytest.fixture
async def shop(sink: OtlpSink) -> AsyncIterator[Shop]:
    async with running(_ok, sink) as shop:
        yield shop


async def test_a_burst_passes_and_one_more_does_not(shop: Shop, sink: OtlpSink) -> None:
    await shop.let_in(rate_limit=RateLimit(requests=1, per_ms=5_000, burst=7))
    assert await shop.statuses(7) == {200: 7}
    status, headers = await shop.ask()
    assert (status, headers["mesh-reason"]) == (429, "rate_limited")
    assert 1 <= int(headers["retry-after"]) <= 5
    assert await shop.statuses(5) == {429: 5}
    assert shop.values("rate_limit")["refused"] == shop.back.stats()["refused"]["rate_limited"] == 6
    refused = [span for span in await sink.wait(13) if "mesh.reason" in span.attributes]
    assert [(span["mesh.reason"], span["http.response.status_code"]) for span in refused] == [("rate_limited", 429)] * 6
    assert not any(span.error for span in refused), "4xx is the caller's affair"


async def test_tokens_come_back_at_the_rate(shop: Shop) -> None:
    await shop.let_in(rate_limit=RateLimit(requests=20, burst=5))
    began = time.monotonic()
    seen: Counter[int] = Counter()
    while seen[200] < 20:
        seen += await shop.statuses(1)
    took = time.monotonic() - began
    assert set(seen) == {200, 429}
    assert seen[200] <= 5 + 20 * took + 1, "never more than was saved up and has come back since"


async def test_each_caller_has_a_limit_of_its_own(shop: Shop) -> None:
    await shop.let_in(rate_limit=RateLimit(requests=1, per_ms=60_000, burst=3, by=RateKey(kind="source")))
    for caller in ("front", "admin"):
        claim = {"x-mesh-source": f"{caller}/v1/{caller}-1"}
        assert await shop.statuses(5, **claim) == {200: 3, 429: 2}
    by_user = RateLimit(requests=1, per_ms=60_000, burst=1, by=RateKey(kind="header", name="x-user"), keys=2)
    await shop.let_in(rate_limit=by_user)
    answers = [(await shop.ask(**{"x-user": user}))[0] for user in "1122334"]
    assert answers == [200, 429, 200, 429, 200, 429, 429], "from the third user on they share one"
    assert shop.values("rate_limit") == {"refused": 4, "keys": 2}


async def test_how_a_policy_stands_is_a_gauge(shop: Shop) -> None:
    await shop.let_in(rate_limit=RateLimit(requests=1, per_ms=60_000, burst=1), concurrency=Concurrency(least=3))
    await shop.statuses(3)
    families = {one.name: one for one in text_string_to_metric_families(render(shop.back.stats()))}
    values = {
        (sample.labels["policy"], sample.labels["value"]): sample.value
        for sample in families["whymesh_proxy_policy"].samples
        if sample.labels["service"] == "shop"
    }
    assert values[("rate_limit", "refused")] == 2
    assert values[("concurrency", "limit")] == 3
    assert values[("concurrency", "in_flight")] == 0


@dataclass
class Kitchen:
    """An application that works on so many requests at once, each for so long; the others wait in its queue."""

    cooks: int
    seconds: float
    busy: int = 0
    waiting: int = 0
    seen: list[tuple[int, int]] = field(default_factory=list)
    """How many were busy and how many waited, each time a dish was ready."""
    places: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self.places = asyncio.Semaphore(self.cooks)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.waiting += 1
        async with self.places:
            self.waiting -= 1
            self.busy += 1
            await asyncio.sleep(self.seconds)
            self.seen.append((self.busy, self.waiting))
            self.busy -= 1
        return web.Response()

    def typical(self) -> tuple[float, float]:
        """Medians of how many were busy and how many waited, since this was last asked."""
        seen, self.seen = self.seen, []
        return statistics.median(busy for busy, _ in seen), statistics.median(waiting for _, waiting in seen)


@asynccontextmanager
async def load(shop: Shop, clients: int) -> AsyncIterator[Counter[int]]:
    """Clients that ask again as soon as they are answered, or a little later when they are refused."""
    statuses: Counter[int] = Counter()

    async def client() -> None:
        while True:
            status, _ = await shop.ask()
            statuses[status] += 1
            if status != 200:
                await asyncio.sleep(0.1)

    tasks = [asyncio.create_task(client()) for _ in range(clients)]
    try:
        yield statuses
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def served(kitchen: Kitchen, dishes: int) -> tuple[float, float]:
    """What is typical while so many more requests are served."""
    kitchen.seen.clear()
    await eventually(lambda: len(kitchen.seen) >= dishes, "requests are served", 30)
    return kitchen.typical()


async def test_under_overload_little_waits_and_the_service_is_kept_busy(sink: OtlpSink) -> None:
    kitchen = Kitchen(cooks=4, seconds=0.04)
    async with running(kitchen.answer, sink) as shop:
        async with load(shop, 40) as statuses:
            _, waiting = await served(kitchen, 80)
            assert waiting >= 20, "ten times as many as it can serve: most of them wait in its queue"
            assert set(statuses) == {200}
            await shop.let_in(concurrency=Concurrency(least=2, tolerance=1.5))
            for _ in range(20):
                busy, waiting = await served(kitchen, 60)
                if busy >= 3 and waiting <= 8:
                    break
            assert busy >= 3, shop.values("concurrency")
            assert waiting <= 8, shop.values("concurrency")
            assert set(statuses) == {200, 503}
            values = shop.values("concurrency")
            assert 2 <= values["limit"] < 40
            assert values["baseline_us"] >= 35_000, "as long as it takes without a queue"
        await eventually(lambda: shop.values("concurrency")["in_flight"] == 0, "all have left")
        values = shop.values("concurrency")
        assert values["refused"] == shop.back.stats()["refused"]["concurrency_limit"] > 0
        await shop.back.idle()
    refused = next(span for span in sink.spans if span.attributes.get("mesh.reason") == "concurrency_limit")
    assert refused["http.response.status_code"] == 503


async def test_a_late_proxy_sheds_what_is_new(shop: Shop) -> None:
    spared = Spared(name="x-priority", value="high")
    await shop.let_in(shedding=Shedding(lag_ms=10_000, spared=spared))
    assert await shop.statuses(5) == {200: 5}, "as late as that it is not"
    await shop.let_in(shedding=Shedding(lag_ms=5, spared=spared))
    seen: Counter[str] = Counter()

    async def client(**headers: str) -> None:
        status, answer = await shop.ask(**headers)
        seen[f"{headers.get('x-priority', '')} {status} {answer.get('mesh-reason', '')}".strip()] += 1
        if status == 503:
            assert answer["retry-after"] == "1"

    for _ in range(50):
        await asyncio.gather(*(client() for _ in range(300)), *(client(**{"x-priority": "high"}) for _ in range(20)))
        if seen["503 overloaded"]:
            break
    assert seen["503 overloaded"] > 0
    assert set(seen) <= {"200", "503 overloaded", "high 200"}, seen
    assert shop.values("shedding")["refused"] == shop.back.stats()["refused"]["overloaded"] == seen["503 overloaded"]
    deadline = time.monotonic() + 30
    while (await shop.ask())[0] != 200:
        assert time.monotonic() < deadline, "a proxy that is on time again lets requests in again"


async def test_each_knob_changes_while_a_connection_stays(shop: Shop) -> None:
    none: dict[str, Any] = {}
    steps: list[tuple[dict[str, Any], Callable[[int], bool]]] = [
        (none, lambda status: status == 200),
        ({"rate_limit": RateLimit(requests=1, per_ms=60_000, burst=1)}, lambda status: status == 200),
        (
            {"rate_limit": RateLimit(requests=1, per_ms=60_000, burst=1), "concurrency": Concurrency()},
            lambda s: s == 429,
        ),
        ({"concurrency": Concurrency(least=1, most=1)}, lambda status: status == 200),
        ({"shedding": Shedding(lag_ms=60_000)}, lambda status: status == 200),
        (none, lambda status: status == 200),
    ]
    async with dial(shop.back.inbound) as (reader, writer):
        for parts, wanted in steps:
            await shop.let_in(**parts)
            writer.write(b"GET / HTTP/1.1\r\nhost: shop\r\n\r\n")
            answer = await asyncio.wait_for(head(reader), 5)
            assert wanted(int(answer.split()[1])), (parts, answer)
            length = next(line for line in answer.lower().splitlines() if line.startswith("content-length:"))
            await reader.readexactly(int(length.split(":")[1]))
        assert shop.back.stats()["policies"] == [], "what is not configured is not shown"


async def test_a_gate_that_cannot_be_is_refused(shop: Shop) -> None:
    keyless = RateLimit(requests=1, burst=1, by=RateKey(kind="header"))
    with pytest.raises(SnapshotRefused, match=r"inbound\.gate\.rate_limit\.by: needs the name of the header"):
        await shop.let_in(rate_limit=keyless)
    assert await shop.statuses(2) == {200: 2}
