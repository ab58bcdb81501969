"""The shop without a mesh: eight services that call each other directly, their faults, and their customers."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from deploy.demo.load import Customers
from deploy.demo.topology import SHOPS
from deploy.local.processes import our_environment, ours
from deploy.local.supervise import Spec, Supervisor
from tests.world.processes import free_port

SERVICES = [shop.name for shop in SHOPS]


class Shop:
    """Where each service listens."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http
        self.ports = {name: free_port() for name in SERVICES}

    def specs(self) -> list[Spec]:
        direct = {f"{name.upper()}_URL": self.url(name) for name in SERVICES}
        return [
            Spec(
                name,
                ours("deploy.demo.service"),
                our_environment() | direct | {"SERVICE": name, "PORT": str(self.ports[name])},
                ready=f"{self.url(name)}/readyz",
            )
            for name in SERVICES
        ]

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.ports[service]}"

    async def ask(self, method: str, path: str) -> tuple[int, float]:
        """Status of a customer's request and the seconds it took."""
        began = time.monotonic()
        async with self._http.request(method, self.url("front") + path) as answer:
            await answer.read()
            return answer.status, time.monotonic() - began

    async def misbehave(self, service: str, **fault: float) -> None:
        async with self._http.post(f"{self.url(service)}/_fault", json=fault) as answer:
            assert answer.status == 204


@pytest.fixture
async def shop(tmp_path: Path):
    supervisor = Supervisor(tmp_path, lambda death: pytest.fail(str(death)))
    async with aiohttp.ClientSession() as http:
        shop = Shop(http)
        try:
            await supervisor.start(shop.specs())
            yield shop
        finally:
            await supervisor.stop_all()


async def test_customers_are_served_and_faults_are_felt_where_they_are(shop: Shop) -> None:
    for method, path in (("GET", "/"), ("GET", "/product/7"), ("POST", "/checkout")):
        status, took = await shop.ask(method, path)
        assert status == 200
        assert took < 1.0

    await shop.misbehave("inventory", latency_ms=300)
    assert (await shop.ask("GET", "/"))[1] > 0.24
    await shop.misbehave("inventory")

    calm = [(await shop.ask("GET", "/product/7"))[1] for _ in range(20)]
    await shop.misbehave("inventory", busy_share=0.9)
    burning = [(await shop.ask("GET", "/product/7"))[1] for _ in range(20)]
    await shop.misbehave("inventory")
    assert statistics.mean(burning) > statistics.mean(calm) + 0.02

    await shop.misbehave("payments", error_rate=1.0)
    assert (await shop.ask("POST", "/checkout"))[0] == 502
    assert (await shop.ask("GET", "/product/7"))[0] == 200
    await shop.misbehave("payments")
    assert (await shop.ask("POST", "/checkout"))[0] == 200


@contextlib.asynccontextmanager
async def counter(seconds: float):
    """A server that takes `seconds` to answer, and the times at which it was asked."""
    asked: list[float] = []

    async def answer(_: web.Request) -> web.Response:
        asked.append(time.monotonic())
        await asyncio.sleep(seconds)
        return web.Response(status=500 if seconds == 0 else 200)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", asked
    finally:
        await runner.cleanup()


async def test_customers_come_at_their_rate_however_slow_the_shop_is() -> None:
    async with counter(seconds=1.0) as (url, asked):
        customers = Customers(url, rate=100)
        arriving = asyncio.create_task(customers.arrive())
        await asyncio.sleep(0.9)
        before_the_first_answer = len(asked)
        await customers.leave()
        await arriving
    report = customers.tally.report(asyncio.get_running_loop().time())
    assert before_the_first_answer > 50
    assert (report["in_flight"], report["errors"]) == (0, 0)
    assert report["answered"] == len(asked)
    assert report["p50_ms"] >= 1000


async def test_a_full_house_is_counted_and_failures_are_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.demo.load.MOST_IN_FLIGHT", 10)
    async with counter(seconds=0.5) as (url, asked):
        customers = Customers(url, rate=200)
        arriving = asyncio.create_task(customers.arrive())
        await asyncio.sleep(0.4)
        await customers.leave()
        await arriving
    assert len(asked) == 10
    assert customers.tally.not_sent > 10

    async with counter(seconds=0.0) as (url, _):
        customers = Customers(url, rate=100)
        arriving = asyncio.create_task(customers.arrive())
        await asyncio.sleep(0.2)
        await customers.leave()
        await arriving
    assert customers.tally.errors == customers.tally.answered > 0
