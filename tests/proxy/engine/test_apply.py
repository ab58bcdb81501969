"""Configuration changes and the end of an engine: nobody's request is dropped."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from proxy._engine import BindError, Engine, SnapshotRefused
from tests.proxy.engine.conftest import Pair
from tests.world.apps import app, dial, head, talker
from tests.world.engines import sidecar, upstream
from tests.world.otlp_sink import OtlpSink, eventually
from tests.world.processes import listens


async def _ok(request: web.Request) -> web.StreamResponse:
    return web.Response(text="ok")


async def test_no_request_fails_while_plans_change(sink: OtlpSink) -> None:
    async with (
        app(_ok) as a,
        app(_ok) as b,
        sidecar("front", calls=(upstream("back", a),), telemetry=sink.url, workers=2) as front,
        aiohttp.ClientSession() as session,
    ):
        stop = asyncio.Event()

        async def load() -> int:
            done = 0
            while not stop.is_set():
                async with session.post("http://back/", data=b"x", proxy=front.proxy) as response:
                    assert response.status == 200
                done += 1
            return done

        workers = [asyncio.create_task(load()) for _ in range(8)]
        for turn in range(40):
            chosen = [(a,), (a, b), (b,)][turn % 3]
            await front.change(services=(upstream("back", *chosen),))
            await asyncio.sleep(0.01)
        stop.set()
        done = sum(await asyncio.gather(*workers))
        await front.idle()
        assert front.counted(status="2xx") == front.counted() == done
    assert {span["mesh.epoch"] for span in sink.spans} >= {2, 20, 40}
    assert sum(span["http.response.status_code"] == 200 for span in sink.spans) >= done


async def test_a_new_plan_is_in_force_when_apply_returns(pair: Pair) -> None:
    async with pair.session.get("http://late/", proxy=pair.front.proxy) as response:
        assert response.headers["mesh-reason"] == "unknown_service"
    await pair.front.change(services=(upstream("late", pair.back.endpoint),))
    async with pair.session.get("http://late/", proxy=pair.front.proxy) as response:
        assert response.status == 200
    async with pair.call() as response:
        assert response.headers["mesh-reason"] == "unknown_service"
    assert pair.front.stats()["epoch"] == 2


async def test_connections_to_a_removed_endpoint_are_closed(pair: Pair) -> None:
    async with pair.call() as response:
        await response.read()
    assert pair.back.stats()["connections"]["inbound"] == 1
    await pair.front.change(services=(upstream("back"),))
    await eventually(lambda: pair.back.stats()["connections"]["inbound"] == 0, "the idle connection to close")


async def test_connections_to_an_endpoint_that_stays_are_kept(pair: Pair) -> None:
    async with pair.call() as response:
        await response.read()
    await pair.front.change(services=(upstream("back", pair.back.endpoint), upstream("other")))
    async with pair.call() as response:
        await response.read()
    spans = await pair.sink.wait(2, "front")
    assert "mesh.time.connect_us" not in spans[1].attributes


async def test_a_refused_snapshot_changes_nothing(pair: Pair) -> None:
    for path, value, field in [
        (("workloads", 0, "node", "instance"), "Other", r"workloads\[0\].node.instance"),
        (("workloads", 0, "outbound", "listen"), pair.back.inbound, r"workloads\[0\].outbound.listen"),
        (("workloads", 0, "services", 0, "connect_attempts"), 11, r"workloads\[0\].services\[0\].connect_attempts"),
    ]:
        whole = json.loads(pair.front.snapshot.model_dump_json())
        part = whole
        for key in path[:-1]:
            part = part[key]
        part[path[-1]] = value
        with pytest.raises(SnapshotRefused, match=f"^{field}: "):
            pair.front.engine.apply(json.dumps(whole | {"epoch": 9}))
    assert pair.front.stats()["epoch"] == 1
    async with pair.call() as response:
        assert response.status == 200


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_port_in_use_is_named(pair: Pair, workers: int) -> None:
    for side, address in [("outbound", pair.front.workload.outbound), ("inbound", pair.back.workload.inbound)]:
        assert address
        taken = {side: address.model_dump()}
        workload = {"node": {"service": "x", "version": "v1", "instance": "x-1"}, **taken}
        snapshot = {"epoch": 1, "workloads": [workload]}
        with pytest.raises(BindError, match=f"{side}.listen {address.listen}: .*in use") as refused:
            Engine(json.dumps(snapshot), workers)
        assert refused.value.errno == 98


async def test_draining_lets_requests_end_and_takes_no_more(sink: OtlpSink) -> None:
    release = asyncio.Event()
    arrived = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        arrived.set()
        await release.wait()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        await reader.read()

    async with (
        talker(talk) as address,
        sidecar("front", calls=(upstream("back", address),), telemetry=sink.url) as front,
        dial(front.proxy) as (reader, writer),
        dial(front.proxy) as (idle, _),
    ):
        writer.write(b"GET http://back/ HTTP/1.1\r\nhost: back\r\n\r\n")
        await asyncio.wait_for(arrived.wait(), 5)
        draining = asyncio.create_task(front.drain(10))
        assert await asyncio.wait_for(idle.read(), 5) == b""
        await eventually(lambda: not listens(front.proxy), "the listener to close")
        assert not draining.done()
        release.set()
        answer = await asyncio.wait_for(reader.read(), 5)
        assert answer.startswith(b"HTTP/1.1 200")
        assert answer.endswith(b"ok")
        assert await draining
        assert len(sink.spans) == 1


async def test_an_engine_leaves_nothing_behind() -> None:
    def threads() -> list[str]:
        names = [(task / "comm").read_text() for task in Path("/proc/self/task").iterdir()]
        return [name for name in names if name.startswith("whymesh")]

    before = len(threads())
    async with sidecar("front", calls=(), workers=2) as front:
        await eventually(lambda: len(threads()) == before + 3, "two workers and the exporter to name themselves")
        address = front.proxy
    assert len(threads()) == before
    with pytest.raises(ConnectionError):
        async with dial(address):
            pass
