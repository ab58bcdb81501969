"""One engine beside several workloads: each with its own ways in and out, its own identity, its own telemetry."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from proxy._engine import SnapshotRefused
from proxy.snapshot import Endpoint, Inbound, Node, Outbound, Workload
from tests.world.apps import app, dial, echo
from tests.world.engines import Sidecar, sidecar, upstream
from tests.world.otlp_sink import OtlpSink, eventually
from tests.world.processes import free_port


def workload(service: str, app: str, version: str = "v1") -> Workload:
    return Workload(
        node=Node(service=service, version=version, instance=f"{service}-1"),
        inbound=Inbound(listen=f"127.0.0.1:{free_port()}", app=app),
        outbound=Outbound(listen=f"127.0.0.1:{free_port()}"),
    )


def reached(workload: Workload) -> Endpoint:
    assert workload.inbound
    return Endpoint(address=workload.inbound.listen, version=workload.node.version, instance=workload.node.instance)


def way_out(workload: Workload) -> str:
    assert workload.outbound
    return f"http://{workload.outbound.listen}"


@pytest.fixture
async def node(sink: OtlpSink) -> AsyncIterator[Sidecar]:
    """`front` and `back` of one host, which may call each other."""
    async with app(echo) as address, sidecar("front", app=address, calls=(), telemetry=sink.url, workers=2) as engine:
        back = workload("back", address)
        calls = (upstream("back", reached(back)), upstream("front", engine.endpoint))
        both = [one.model_copy(update={"services": calls}) for one in (engine.workload, back)]
        await engine.apply(workloads=tuple(both))
        yield engine


async def test_each_workload_calls_and_answers_in_its_own_name(node: Sidecar, sink: OtlpSink) -> None:
    front, back = node.snapshot.workloads
    async with aiohttp.ClientSession() as session:
        for caller, service in ((front, "back"), (back, "front"), (front, "back")):
            async with session.get(f"http://{service}/", proxy=way_out(caller)) as response:
                assert response.status == 200
    await sink.wait(6)
    told = sorted(
        (s.resource["service.name"], s.kind, s["mesh.source.service"], s["mesh.destination.service"])
        for s in sink.spans
    )
    assert told == [
        ("back", "client", "back", "front"),
        *[("back", "server", "front", "back")] * 2,
        *[("front", "client", "front", "back")] * 2,
        ("front", "server", "back", "front"),
    ]
    assert {s.resource["service.instance.id"] for s in sink.spans} == {"front-1", "back-1"}
    assert node.counted(service="front", instance="front-1", direction="outbound", peer="back") == 2
    assert node.counted(service="back", instance="back-1", direction="inbound", peer="front") == 2
    assert node.counted() == 6


async def test_a_workload_comes_and_goes_while_another_serves(node: Sidecar, sink: OtlpSink) -> None:
    front, back = node.snapshot.workloads
    address = node.inbound
    stop = asyncio.Event()

    async def load() -> int:
        done = 0
        async with aiohttp.ClientSession() as session:
            while not stop.is_set():
                async with session.get(f"http://{address}/") as response:
                    assert response.status == 200
                done += 1
        return done

    loading = asyncio.create_task(load())
    async with dial(way_out(back)) as (reader, _):
        for _ in range(10):
            await node.apply(workloads=(front,))
            await node.apply(workloads=(workload("late", "127.0.0.1:9"), front))
        assert await asyncio.wait_for(reader.read(), 5) == b"", "an idle connection to it is closed"
    with pytest.raises(ConnectionError):
        async with dial(way_out(back)):
            pass
    stop.set()
    done = await loading
    assert done > 10
    assert node.counted(service="front", status="2xx") == done


async def test_a_new_version_of_a_workload_is_told_from_its_next_request_on(node: Sidecar, sink: OtlpSink) -> None:
    front, back = node.snapshot.workloads
    async with aiohttp.ClientSession() as session:
        for version in ("v1", "v2"):
            fresh = front.model_copy(update={"node": front.node.model_copy(update={"version": version})})
            await node.apply(workloads=(fresh, back))
            async with session.get(f"http://{node.inbound}/") as response:
                assert response.status == 200
    await eventually(lambda: len(sink.spans) == 2, "two spans")
    assert [span.resource["service.version"] for span in sink.spans] == ["v1", "v2"]


async def test_an_address_that_is_taken_is_refused_and_nothing_changes(node: Sidecar) -> None:
    async with app(echo) as taken:
        late = workload("late", "127.0.0.1:9")
        late = late.model_copy(update={"inbound": Inbound(listen=taken, app="127.0.0.1:9")})
        before = node.snapshot
        with pytest.raises(
            SnapshotRefused, match=rf"^workloads\[2\].inbound.listen: cannot listen on {taken}: .*in use"
        ):
            await node.apply(workloads=(*before.workloads, late))
    assert node.stats()["epoch"] == before.epoch
