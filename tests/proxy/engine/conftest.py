"""What most tests of the engine start from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from tests.world.apps import app, echo
from tests.world.engines import Sidecar, sidecar, upstream
from tests.world.otlp_sink import OtlpSink, otlp_sink


@pytest.fixture
async def sink() -> AsyncIterator[OtlpSink]:
    async with otlp_sink() as sink:
        yield sink


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        yield session


@dataclass
class Pair:
    """`front` calls `back` through both their proxies."""

    front: Sidecar
    back: Sidecar
    session: aiohttp.ClientSession
    sink: OtlpSink

    def call(self, path: str = "/", method: str = "GET", **more: Any) -> Any:
        return self.session.request(method, f"http://back{path}", proxy=self.front.proxy, **more)


@pytest.fixture
async def pair(sink: OtlpSink, session: aiohttp.ClientSession) -> AsyncIterator[Pair]:
    async with (
        app(echo) as address,
        sidecar("back", app=address, telemetry=sink.url) as back,
        sidecar("front", calls=(upstream("back", back.endpoint),), telemetry=sink.url) as front,
    ):
        yield Pair(front, back, session, sink)
