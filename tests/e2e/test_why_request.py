"""`whymesh why <request id>` of requests that failed on their way through real proxies: what the terminal says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiohttp import web
from click.testing import CliRunner

from deploy.why import command
from proxy.snapshot import Policy
from proxy.snapshot.authorization import AccessPolicy, AccessRule, Authorization
from proxy.snapshot.gate import Asked
from proxy.snapshot.policies import Breaker, Retry
from proxy.snapshot.routes import PathMatch
from tests.rootcause.stored import store_url
from tests.world.apps import app, echo
from tests.world.collectors import Collector, collector
from tests.world.engines import Sidecar, sidecar, upstream
from tests.world.processes import free_port, running

PAYS = AccessRule(name="back/pays", matches=(Asked(path=PathMatch(kind="prefix", value="/pay")),))
ALLOWED = Authorization(service="back", ports=(80,), policies=(AccessPolicy(name="back", rules=(PAYS,)),))


@dataclass
class Stuck:
    """An application that answers nothing before it may."""

    asked: asyncio.Event
    may: asyncio.Event

    async def handle(self, _: web.Request) -> web.StreamResponse:
        self.asked.set()
        await self.may.wait()
        return web.Response()


@dataclass
class World:
    """A caller's proxy, whose services are guarded, full and late, and what is stored of its requests."""

    front: Sidecar
    back: Sidecar
    stuck: Stuck
    store: Collector
    session: aiohttp.ClientSession

    async def ask(self, url: str, id: str) -> int:
        async with self.session.get(url, proxy=self.front.proxy, headers={"x-request-id": id}) as response:
            await response.read()
            return response.status


@asynccontextmanager
async def world(store: Collector) -> AsyncIterator[World]:
    sink, stuck = store.url("http", "/v1/traces"), Stuck(asyncio.Event(), asyncio.Event())
    late = Policy(retry=Retry(attempts=2, on=("timeout",), backoff_ms=0))
    async with (
        app(echo) as open_app,
        app(stuck.handle) as stuck_app,
        sidecar("back", app=open_app, telemetry=sink) as back,
        sidecar(
            "front",
            calls=(
                upstream("back", back.endpoint),
                upstream("full", stuck_app, policy=Policy(breaker=Breaker(requests=1))),
                upstream("late", stuck_app, policy=late, timeout_ms=50),
            ),
            telemetry=sink,
        ) as front,
        aiohttp.ClientSession() as session,
    ):
        await back.change(authorization=ALLOWED)
        yield World(front, back, stuck, store, session)


async def fail(world: World) -> None:
    """One request is denied, one finds the service full, one is too late twice."""
    assert await world.ask("http://back/stock", "denied-1") == 403
    waiting = asyncio.create_task(world.ask("http://full/", "first"))
    await world.stuck.asked.wait()
    assert await world.ask("http://full/", "full-1") == 503
    assert await world.ask("http://late/", "late-1") == 504
    world.stuck.may.set()
    assert await waiting == 200
    for proxy in (world.front, world.back):
        await proxy.idle()
    await asyncio.to_thread(world.store.settle)


async def test_an_id_from_a_log_or_a_complaint_is_enough(tmp_path: Path) -> None:
    with collector(tmp_path / "store") as store:
        async with world(store) as broken:
            await fail(broken)
        url = f"http://127.0.0.1:{free_port()}"
        options = ("--store", store_url(store), "--listen", url.removeprefix("http://"))
        with running("rootcause", *options, log=tmp_path / "rootcause.log") as engine:
            engine.ready(f"{url}/healthz")
            told = {id: CliRunner().invoke(command, ["--url", url, id]) for id in ("denied-1", "full-1", "late-1")}
            well = CliRunner().invoke(command, ["--url", url, "first"])
            nobody = CliRunner().invoke(command, ["--url", url, "nobody-1"])
    assert [ran.exit_code for ran in told.values()] == [1, 1, 1], [ran.output for ran in told.values()]
    assert "the request to back (back-1) ended in not_allowed: the nearest rule is back/pays" in told["denied-1"].output
    assert "missed      request GET /stock, not any method /pay" in told["denied-1"].output
    assert "the call from front (front-1) to full ended in breaker_open" in told["full-1"].output
    assert "the call from front (front-1) to late ended in upstream_timeout" in told["late-1"].output
    assert told["late-1"].output.count("upstream_timeout]") == 2, "both attempts are shown"
    assert (well.exit_code, "nothing failed" in well.output) == (0, True)
    assert (nobody.exit_code, "is the id of no alarm and no request that is stored" in nobody.output) == (0, True)
