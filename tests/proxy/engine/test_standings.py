"""An operator sees why an instance gets no requests."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
from aiohttp import web

from proxy.snapshot import Endpoint, Policy
from tests.world.apps import Handler, app
from tests.world.engines import Sidecar, sidecar, upstream
from tests.world.processes import free_port


def answering(status: int) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status)

    return handle


async def ask(front: Sidecar, session: aiohttp.ClientSession, count: int) -> None:
    for _ in range(count):
        async with session.post("http://back/", proxy=front.proxy) as response:
            await response.read()


def service(front: Sidecar) -> dict[str, Any]:
    (back,) = front.stats()["services"]
    assert back["service"] == "back"
    found: dict[str, Any] = back
    return found


def states(front: Sidecar) -> dict[str, str]:
    return {one["instance"]: one["state"] for one in service(front)["instances"]}


async def test_an_ejected_instance_says_why_and_for_how_long(session: aiohttp.ClientSession) -> None:
    policy = Policy.model_validate(
        {"outlier": {"consecutive": 2, "ejection_ms": 60_000}, "balancer": {"kind": "roundRobin"}}
    )
    async with (
        app(answering(200)) as good,
        app(answering(500)) as bad,
        sidecar("front", calls=(upstream("back", good, bad, policy=policy),)) as front,
    ):
        assert states(front) == {"back-1": "healthy", "back-2": "healthy"}
        await ask(front, session, 10)
        well, ejected = service(front)["instances"]
        assert (well["state"], well["share"], well["workers"]) == ("healthy", 1.0, {"healthy": 1})
        assert well["latency_us"] > 0
        assert well["connections"] >= 1
        assert (ejected["state"], ejected["reason"], ejected["share"]) == ("ejected", "failures_in_a_row", 0.0)
        assert 0 < ejected["left_ms"] <= 60_000
        assert (ejected["ejections"], ejected["address"], ejected["version"]) == (1, bad, "v1")
        assert not service(front)["panic"]


async def test_when_too_many_are_ejected_it_says_that_all_are_used(session: aiohttp.ClientSession) -> None:
    policy = Policy.model_validate({"outlier": {"consecutive": 1, "most_ejected": 100, "ejection_ms": 60_000}})
    async with (
        app(answering(500)) as a,
        app(answering(500)) as b,
        sidecar("front", calls=(upstream("back", a, b, policy=policy),)) as front,
    ):
        await ask(front, session, 20)
        assert service(front)["panic"]
        assert [one["share"] for one in service(front)["instances"]] == [1.0, 1.0]


async def test_unreachable_new_and_far_instances_are_told_apart(session: aiohttp.ClientSession) -> None:
    slow = Policy.model_validate({"balancer": {"kind": "roundRobin", "slow_start_ms": 3_600_000}})
    dead = f"127.0.0.1:{free_port()}"
    async with app(answering(200)) as good, sidecar("front", calls=(upstream("back", good, dead),), zone="a") as front:
        await ask(front, session, 4)
        _, unreachable = service(front)["instances"]
        assert (unreachable["state"], unreachable["reason"]) == ("unreachable", "connect")
        await front.change(services=(upstream("back", good, "127.0.0.1:1", policy=slow),))
        _, new = service(front)["instances"]
        assert new["state"] == "slow_start"
        assert 0 < new["share"] < 1
        assert new["left_ms"] > 3_000_000
        zones = Policy.model_validate({"balancer": {"zone_percent": 50}})
        near = Endpoint(address=good, version="v1", instance="near", zone="a")
        far = Endpoint(address=good, version="v1", instance="far", zone="b")
        await front.change(services=(upstream("back", near, far, policy=zones),))
        assert states(front) == {"near": "healthy", "far": "other_zone"}
        assert {one["zone"] for one in service(front)["instances"]} == {"a", "b"}


async def test_a_full_breaker_names_its_limit(session: aiohttp.ClientSession) -> None:
    arrived, leave = asyncio.Event(), asyncio.Event()

    async def hold(request: web.Request) -> web.StreamResponse:
        arrived.set()
        await leave.wait()
        return web.Response()

    policy = Policy.model_validate({"breaker": {"requests": 1}})
    async with app(hold) as address, sidecar("front", calls=(upstream("back", address, policy=policy),)) as front:
        assert service(front)["breaker"] == ""
        held = asyncio.create_task(ask(front, session, 1))
        await arrived.wait()
        assert service(front)["breaker"] == "breaker.requests"
        assert service(front)["instances"][0]["in_flight"] == 1
        leave.set()
        await held


async def test_every_worker_is_asked_and_none_that_has_ended() -> None:
    async with app(answering(200)) as address, sidecar("front", calls=(upstream("back", address),), workers=2) as front:
        assert service(front)["instances"][0]["workers"] == {"healthy": 2}
        await front.drain()
        assert front.stats()["services"] == []
