"""Control planes in this process: real state, real HTTP on a port of their own."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from proxy.control.api.app import Api
from proxy.control.api.callers import Callers
from proxy.control.api.config import ConfigApi
from proxy.control.api.policies import PolicyDoor
from proxy.control.api.status import status
from proxy.control.api.tokens import TokenApi
from proxy.control.epochs.begin import begin
from proxy.control.epochs.in_force import InForce
from proxy.control.epochs.written import Written
from proxy.control.known import Known
from proxy.control.publish import Publisher
from proxy.control.reading.parse import parse
from proxy.control.state.state import State
from proxy.control.state.tokens import Tokens
from proxy.control.telemetry import Telemetry


def written(*documents: dict[str, Any]) -> tuple[Written, ...]:
    """Documents as a file would have them."""
    mistakes: list[str] = []
    found = [parse("test", document, mistakes) for document in documents]
    assert mistakes == []
    return tuple(one for one in found if one is not None)


@dataclass
class Control:
    """One control plane, and a client on the same machine."""

    in_force: InForce
    publisher: Publisher
    url: str
    session: aiohttp.ClientSession
    app: web.Application
    headers: dict[str, str] = field(default_factory=dict)

    async def ask(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
        """Status and JSON of an answer."""
        headers = {**self.headers, **more.pop("headers", {})}
        async with self.session.request(method, self.url + path, json=body, headers=headers, **more) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text.startswith(("{", "[")) else text

    async def read_again(self, *documents: dict[str, Any]) -> None:
        """Has the files say this."""
        await self.in_force.read_again(written(*documents), "file mesh.yaml")


@contextlib.asynccontextmanager
async def control(*documents: dict[str, Any], state: Path | None = None, operator: str = "") -> AsyncIterator[Control]:
    """A control plane whose files say this, up while the block runs; with an `operator` everyone needs a token."""
    kept = State(state)
    assert kept.lease.take("http://here", time.time())
    beginning = begin(kept, written(*documents), Known(), "file mesh.yaml", datetime.now(UTC))
    publisher = Publisher(beginning.registry, beginning.epoch)
    telemetry = Telemetry("", publisher)
    in_force = InForce(kept, beginning, publisher, telemetry)
    tokens = Tokens(kept.sql)
    callers = Callers(tokens, operator=operator)
    doors = (ConfigApi(in_force, callers), TokenApi(tokens, callers))
    app = Api(publisher, telemetry.metrics, *doors, lambda: status(publisher, None, {}), lambda: True).application()
    app.add_routes(PolicyDoor(lambda: publisher.registry, callers).routes())
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        async with aiohttp.ClientSession() as session:
            yield Control(in_force, publisher, f"http://{host}:{port}", session, app)
    finally:
        await runner.cleanup()
        telemetry.close()
        kept.lease.release()
        kept.close()
