"""Six services in a row and a side branch, each with a sidecar, under one control plane: a mesh to lose a failure in.

In: requests at the entry, whose query says what happens at the end of the row. Out: spans at whatever collector.
s1 calls s2 calls ... s6; s5 also calls `side` first, and hides from its caller what fails behind it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from proxy.admin import AdminServer
from proxy.probes import Probes
from proxy.saved import SavedSnapshot
from proxy.sidecar import Sidecar
from proxy.subscribe import ControlPlane
from tests.world import meshes
from tests.world.apps import app
from tests.world.processes import free_port, get, running

HOPS = 6
SPANS = 2 * HOPS + 1
"""Of an ordinary request: server and client of each hop, no client before the first, and two of the side branch."""
_NAMES = [*(f"s{number}" for number in range(1, HOPS + 1)), "side"]


@dataclass
class Chain:
    """The running mesh."""

    folder: Path
    apps: dict[str, str]
    ports: dict[str, dict[str, str]]
    control: str = ""
    """The control plane's URL."""
    sidecars: list[Sidecar] = field(default_factory=list)
    epoch: int = 0

    @property
    def entry(self) -> str:
        """Where requests from outside arrive, as host:port."""
        return self.ports["s1"]["inbound"]

    @property
    def file(self) -> Path:
        """The mesh configuration."""
        return self.folder / "mesh.yaml"

    def write(self, telemetry: dict[str, Any], *documents: dict[str, Any]) -> None:
        """Edits the mesh configuration."""
        services = [
            meshes.service(name, {"instance": f"{name}-1", "app": self.apps[name], "sidecar": self.ports[name]})
            for name in _NAMES
        ]
        retry = {
            "apiVersion": meshes.API_VERSION,
            "kind": "TrafficPolicy",
            "metadata": {"name": "again"},
            "spec": {"targetRef": {"name": f"s{HOPS}"}, "retry": {"attempts": 3, "on": ["gateway"]}},
        }
        meshes.write(self.file, meshes.mesh(telemetry=telemetry), *services, retry, *documents)
        self.epoch += 1

    async def served(self) -> None:
        """Returns once the newest configuration is in force, and every sidecar serves what it should."""

        async def status() -> dict[str, Any]:
            code, text = await asyncio.to_thread(get, f"{self.control}/v1/status")
            found: dict[str, Any] = json.loads(text) if code == 200 else {"epoch": 0, "proxies": []}
            return found

        deadline = asyncio.get_running_loop().time() + 30
        while True:
            found = await status()
            if found["epoch"] >= self.epoch and all(one["state"] == "current" for one in found["proxies"]):
                return
            assert asyncio.get_running_loop().time() < deadline, f"epoch {self.epoch}: {found}"
            await asyncio.sleep(0.05)

    async def ask(self, session: aiohttp.ClientSession, query: str = "") -> int:
        """One request through the whole row; the status that the entry answers."""
        async with session.get(f"http://{self.entry}/orders/7?{query}") as response:
            await response.read()
            return response.status

    async def load(self, session: aiohttp.ClientSession, requests: int, at_once: int = 4) -> None:
        """Ordinary requests; each is answered well."""

        async def client() -> None:
            for _ in range(requests // at_once):
                assert await self.ask(session) == 200

        await asyncio.gather(*(client() for _ in range(at_once)))

    def records(self, what: str) -> int:
        """One of the counters of records, over all sidecars."""
        return sum(json.loads(one.stats() or "{}")["records"][what] for one in self.sidecars)

    def requests(self, direction: str) -> int:
        """Requests counted by all sidecars."""
        series = [one for sidecar in self.sidecars for one in json.loads(sidecar.stats() or "{}")["requests"]]
        return sum(one["count"] for one in series if one["direction"] == direction)


@contextlib.asynccontextmanager
async def chain(folder: Path, telemetry: dict[str, Any]) -> AsyncIterator[Chain]:
    """The mesh, serving, with a control plane of its own process."""
    async with contextlib.AsyncExitStack() as world:
        session = await world.enter_async_context(aiohttp.ClientSession())
        ports = {name: meshes.sidecar(free_port(), free_port(), free_port()) for name in _NAMES}
        mesh = Chain(folder, {}, ports)
        for name in _NAMES:
            mesh.apps[name] = await world.enter_async_context(app(_service(name, ports[name]["outbound"], session)))
        mesh.write(telemetry)
        listen = f"127.0.0.1:{free_port()}"
        options = ("-f", str(mesh.file), "--listen", listen)
        control = world.enter_context(running("proxy.control", *options, log=folder / "control.log"))
        await asyncio.to_thread(control.ready, f"http://{listen}/readyz")
        mesh.control, stop = f"http://{listen}", threading.Event()
        for name in _NAMES:
            plane = ControlPlane(mesh.control, f"{name}-1", stop)
            mesh.sidecars.append(Sidecar(plane, SavedSnapshot(None), 1, stop, None))
            world.enter_context(_admin(ports[name]["admin"], mesh.sidecars[-1]))
        threads = [threading.Thread(target=one.run, daemon=True) for one in mesh.sidecars]
        for thread in threads:
            thread.start()
        try:
            await mesh.served()
            yield mesh
        finally:
            stop.set()
            for one in mesh.sidecars:
                await asyncio.to_thread(one.drain, 0.5)


@contextlib.contextmanager
def _admin(address: str, sidecar: Sidecar) -> Iterator[None]:
    host, _, port = address.rpartition(":")
    with AdminServer(host, int(port), sidecar, Probes("", host)) as server:
        server.start()
        yield
        server.shutdown()


def _service(name: str, proxy: str, session: aiohttp.ClientSession) -> Any:
    number = _NAMES.index(name) + 1
    calls = ["side"] if number == HOPS - 1 else []
    calls += [f"s{number + 1}"] if number < HOPS else []

    async def handle(request: web.Request) -> web.StreamResponse:
        headers = {key: request.headers[key] for key in ("traceparent", "tracestate")}

        async def call(callee: str) -> None:
            url = f"http://{callee}{request.path_qs}"
            async with session.get(url, headers=headers, proxy=f"http://{proxy}") as answer:
                await answer.read()

        if number == HOPS:
            if "slow_s" in request.query:
                await asyncio.sleep(float(request.query["slow_s"]))
            if "stray" in request.query:
                await call("nowhere")
            return web.Response(status=int(request.query.get("status", "200")))
        for callee in calls if name != "side" else ():
            await call(callee)
        return web.Response()

    return handle
