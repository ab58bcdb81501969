"""A proxy that runs late takes nothing new, says so, and is open again once it is on time."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from proxy.saved import SavedSnapshot
from proxy.snapshot import Inbound, Node, Snapshot, Workload
from proxy.snapshot.gate import Gate, Priority, Shedding
from tests.proxy.engine.gated import marked, ok
from tests.world.apps import app
from tests.world.processes import Process, free_port, running

LATE_S = 0.3


@dataclass
class Late:
    """A proxy process that can be made late, and who asks it."""

    process: Process
    inbound: str
    admin: str
    session: aiohttp.ClientSession

    async def ask(self, priority: str = "") -> tuple[str, str]:
        """Who asked, and the status, reason and Retry-After of the answer."""
        headers = {"x-priority": priority} if priority else {}
        async with self.session.get(f"http://{self.inbound}/", headers=headers) as response:
            await response.read()
            words = (str(response.status), response.headers.get("mesh-reason"), response.headers.get("retry-after"))
            return priority, " ".join(word for word in words if word)

    async def hold_up(self) -> None:
        """Keeps the process from running for a while, as a machine does that has too much to do."""
        os.kill(self.process.pid, signal.SIGSTOP)
        await asyncio.sleep(LATE_S)
        os.kill(self.process.pid, signal.SIGCONT)

    async def refused(self) -> int:
        async with self.session.get(f"http://{self.admin}/stats") as response:
            return int(json.loads(await response.text())["refused"].get("overloaded", 0))


@asynccontextmanager
async def beside_an_app(folder: Path, gate: Gate) -> AsyncIterator[Late]:
    """A proxy that serves what it served before: there is no control plane."""
    inbound, admin, nobody = (f"127.0.0.1:{free_port()}" for _ in range(3))
    async with app(ok) as address, aiohttp.ClientSession() as session:
        workload = Workload(
            node=Node(service="shop", version="v1", instance="shop-1"),
            inbound=Inbound(listen=inbound, app=address, gate=gate),
        )
        SavedSnapshot(folder / "shop-1.snapshot.json").keep(Snapshot(epoch=1, workloads=(workload,)).model_dump_json())
        arguments = ("--instance", "shop-1", "--control", f"http://{nobody}", "--admin", admin, "--state", str(folder))
        with running("proxy", *arguments, log=folder / "proxy.log") as process:
            await asyncio.to_thread(process.ready, f"http://{admin}/readyz")
            yield Late(process, inbound, admin, session)


async def test_a_late_proxy_sheds_what_is_new(tmp_path: Path) -> None:
    gate = Gate(shedding=Shedding(lag_ms=5), priority=Priority(spared=marked("x-priority", "high")))
    async with beside_an_app(tmp_path, gate) as late:
        seen: Counter[tuple[str, str]] = Counter()
        deadline = time.monotonic() + 30
        while not seen["", "503 overloaded 1"]:
            assert time.monotonic() < deadline, seen
            await late.hold_up()
            seen.update(await asyncio.gather(*(late.ask() for _ in range(5)), late.ask("high")))
        assert set(seen) <= {("", "200"), ("", "503 overloaded 1"), ("high", "200")}, seen
        assert await late.refused() == seen["", "503 overloaded 1"]
        while (await late.ask())[1] != "200":
            assert time.monotonic() < deadline + 30, "a proxy that is on time again lets requests in again"


async def test_a_proxy_that_may_be_late_sheds_nothing(tmp_path: Path) -> None:
    async with beside_an_app(tmp_path, Gate(shedding=Shedding(lag_ms=30_000))) as late:
        await late.hold_up()
        assert {await late.ask() for _ in range(5)} == {("", "200")}
        assert await late.refused() == 0
