"""A proxy whose gate changes live, and who asks it."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web

from proxy.snapshot.gate import Asked, Gate, Rate, RateLimit
from proxy.snapshot.routes import PathMatch, ValueMatch
from tests.world.apps import Handler, app
from tests.world.engines import Sidecar, sidecar
from tests.world.otlp_sink import OtlpSink


async def ok(request: web.Request) -> web.StreamResponse:
    return web.Response(text="ok")


def limit(requests: int, burst: int, per_ms: int = 60_000, name: str = "all", **more: Any) -> RateLimit:
    return RateLimit(name=name, rate=Rate(requests=requests, per_ms=per_ms, burst=burst), **more)


def under(prefix: str) -> tuple[Asked, ...]:
    return (Asked(path=PathMatch(kind="prefix", value=prefix)),)


def marked(name: str, value: str) -> tuple[Asked, ...]:
    return (Asked(headers=(ValueMatch(name=name, value=value),)),)


@dataclass
class Shop:
    """The proxy beside `shop`, with a gate that changes live, and who asks it."""

    back: Sidecar
    session: aiohttp.ClientSession

    async def let_in(self, **parts: Any) -> None:
        inbound = self.back.workload.inbound
        assert inbound
        await self.back.change(inbound=inbound.model_copy(update={"gate": Gate(**parts)}))

    async def ask(self, path: str = "/", **headers: str) -> tuple[int, dict[str, str]]:
        async with self.session.get(f"http://{self.back.inbound}{path}", headers=headers) as response:
            await response.read()
            return response.status, {name.lower(): value for name, value in response.headers.items()}

    async def statuses(self, count: int, path: str = "/", **headers: str) -> Counter[int]:
        return Counter([(await self.ask(path, **headers))[0] for _ in range(count)])

    def values(self, policy: str, name: str = "") -> dict[str, int]:
        (found,) = [one for one in self.back.stats()["policies"] if (one["policy"], one["name"]) == (policy, name)]
        assert found["service"] == "shop"
        values: dict[str, int] = found["values"]
        return values


@asynccontextmanager
async def running(handler: Handler, sink: OtlpSink) -> AsyncIterator[Shop]:
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        app(handler) as address,
        sidecar("shop", app=address, telemetry=sink.url, inbound={"connect_timeout_ms": 60_000}) as back,
        aiohttp.ClientSession(connector=connector) as session,
    ):
        yield Shop(back, session)
