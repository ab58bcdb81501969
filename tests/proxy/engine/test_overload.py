"""More than a service or its proxy can do: little waits, a late proxy takes nothing new, the expendable goes first."""

from __future__ import annotations

import asyncio
import statistics
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from proxy.snapshot.gate import Concurrency, Priority
from tests.proxy.engine.gated import Shop, marked, ok, running
from tests.world.otlp_sink import OtlpSink, eventually


@pytest.fixture
async def shop(sink: OtlpSink) -> AsyncIterator[Shop]:
    async with running(ok, sink) as shop:
        yield shop


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
    assert (refused["http.response.status_code"], refused["mesh.limit"]) == (503, "concurrency")
    assert refused["mesh.limit.at"] >= 2


async def test_expendable_requests_leave_a_quarter_of_the_room(sink: OtlpSink) -> None:
    answer = asyncio.Event()

    async def hold(request: web.Request) -> web.StreamResponse:
        await answer.wait()
        return web.Response()

    async with running(hold, sink) as shop:
        batch = Priority(expendable=marked("x-kind", "batch"))
        await shop.let_in(concurrency=Concurrency(least=4, most=4), priority=batch)

        async def fill(count: int, **headers: str) -> list[asyncio.Task[tuple[int, dict[str, str]]]]:
            asked = [asyncio.create_task(shop.ask(**headers)) for _ in range(count)]
            seen = shop.values("concurrency")

            def settled() -> bool:
                now = shop.values("concurrency")
                return sum(now[key] - seen[key] for key in ("in_flight", "refused")) == count

            await eventually(settled, "every request is let in or refused")
            return asked

        tasks = await fill(5, **{"x-kind": "batch"})
        assert shop.values("concurrency")["in_flight"] == 3
        tasks += await fill(2, **{"mesh-retry": "1"})
        assert shop.values("concurrency")["in_flight"] == 3, "retries are expendable"
        tasks += await fill(3)
        assert shop.values("concurrency")["in_flight"] == 4
        answer.set()
        statuses = Counter([status for status, _ in await asyncio.gather(*tasks)])
        assert statuses == {200: 4, 503: 6}
