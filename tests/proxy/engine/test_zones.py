"""Calls stay in the zone of their proxy while its instances are healthy, and spill over when they are not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp

from proxy.snapshot import Endpoint, Policy
from tests.proxy.engine.test_health import Instance, ask
from tests.world.apps import app
from tests.world.engines import Sidecar, sidecar, upstream
from tests.world.otlp_sink import OtlpSink
from tests.world.processes import free_port


@asynccontextmanager
async def front(
    zone: str | None, *zones: str, gone: int = 0, threshold: int | None = 100, telemetry: str = ""
) -> AsyncIterator[Sidecar]:
    """A proxy in `zone` that calls an instance in each of `zones`; nothing listens at the first `gone` of them."""
    async with AsyncExitStack() as stack:
        endpoints = []
        for number, where in enumerate(zones):
            alive = app(Instance(f"{where}{number}").answer)
            address = f"127.0.0.1:{free_port()}" if number < gone else await stack.enter_async_context(alive)
            endpoints.append(Endpoint(address=address, version="v1", instance=f"back-{number}", zone=where))
        policy = Policy.model_validate({"balancer": {"kind": "random", "zone_percent": threshold}})
        service = upstream("back", *endpoints, policy=policy)
        yield await stack.enter_async_context(sidecar("front", zone=zone, calls=(service,), telemetry=telemetry))


async def test_calls_stay_in_their_zone(session: aiohttp.ClientSession, sink: OtlpSink) -> None:
    async with front("east", "west", "east", "east", telemetry=sink.url) as proxy:
        assert set(await ask(proxy, session, 40)) == {"east1", "east2"}
        spans = await sink.wait(40, "front")
    assert {span["mesh.destination.zone"] for span in spans} == {"east"}
    assert {span.resource["cloud.availability_zone"] for span in spans} == {"east"}


async def test_an_unhealthy_zone_spills_over_in_proportion(session: aiohttp.ClientSession) -> None:
    async with front("east", "east", "east", "west", gone=1) as proxy:
        await ask(proxy, session, 20)
        count = await ask(proxy, session, 200)
    assert 60 < count["east1"] < 140, "half of the zone is there, and takes half of the requests"
    assert count["east1"] + count["west2"] == 200


async def test_without_a_policy_or_a_zone_all_instances_share(session: aiohttp.ClientSession) -> None:
    for zone, threshold in (("east", None), (None, 100), ("north", 100)):
        async with front(zone, "east", "west", threshold=threshold) as proxy:
            assert set(await ask(proxy, session, 40)) == {"east0", "west1"}, (zone, threshold)
