"""Instances that do badly are left out, a service that is full is left alone, and callers stay with their instance."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

from proxy.snapshot import Policy
from tests.world.apps import app, talker
from tests.world.engines import Sidecar, sidecar, upstream


class Instance:
    """An application that can be told how to behave."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.status = 200
        self.delay_s = 0.0
        self.asked = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        await asyncio.sleep(self.delay_s)
        return web.Response(text=self.name, status=self.status)


@asynccontextmanager
async def back(count: int, **policy: Any) -> AsyncIterator[tuple[list[Instance], Sidecar, list[str]]]:
    """A front that calls so many instances by this policy."""
    instances = [Instance(f"i{number}") for number in range(count)]
    async with AsyncExitStack() as stack:
        addresses = [await stack.enter_async_context(app(one.answer)) for one in instances]
        service = upstream("back", *addresses, policy=Policy.model_validate(policy))
        front = await stack.enter_async_context(sidecar("front", calls=(service,)))
        yield instances, front, addresses


async def ask(front: Sidecar, session: aiohttp.ClientSession, count: int, **more: Any) -> Counter[str]:
    """Names of those that answered, failures included."""
    names = []
    for _ in range(count):
        async with session.get("http://back/", proxy=front.proxy, **more) as response:
            names.append(await response.text())
    return Counter(names)


async def test_failures_in_a_row_eject_until_the_time_is_over(session: aiohttp.ClientSession) -> None:
    policy = {"outlier": {"consecutive": 3, "ejection_ms": 2_000}, "balancer": {"kind": "roundRobin"}}
    async with back(3, **policy) as (instances, front, _):
        instances[0].status = 500
        await ask(front, session, 40)
        assert instances[0].asked == 3
        instances[0].status = 200
        assert (await ask(front, session, 30))["i0"] == 0
        async with asyncio.timeout(10):
            while not (await ask(front, session, 10))["i0"]:
                pass


async def test_an_instance_that_fails_more_than_the_others_is_ejected(session: aiohttp.ClientSession) -> None:
    policy = {"consecutive": 0, "interval_ms": 200, "least_requests": 5, "ejection_ms": 60_000}
    async with back(3, outlier=policy, balancer={"kind": "roundRobin"}) as (instances, front, _):
        instances[1].status = 500
        async with asyncio.timeout(10):
            while (await ask(front, session, 30))["i1"]:
                pass
        assert (await ask(front, session, 30))["i1"] == 0


async def test_when_all_fail_all_are_used(session: aiohttp.ClientSession) -> None:
    async with back(4, outlier={"consecutive": 1, "most_ejected": 100, "ejection_ms": 60_000}) as (
        instances,
        front,
        _,
    ):
        for one in instances:
            one.status = 500
        count = await ask(front, session, 100)
        assert count.total() == 100
        assert len(count) == 4


async def test_the_slow_instance_gets_less(session: aiohttp.ClientSession) -> None:
    async with back(2) as (instances, front, _):
        instances[0].delay_s = 0.1
        count = await ask(front, session, 60)
        assert count["i0"] <= 6
        instances[0].delay_s = 0.0
    async with back(2, balancer={"kind": "leastRequest"}) as (instances, front, _):
        instances[0].delay_s = 0.01
        count = await ask(front, session, 60)
        assert count["i0"] > 15, "one request at a time: both are as busy"


async def test_kinds_of_balancers(session: aiohttp.ClientSession) -> None:
    async with back(3, balancer={"kind": "roundRobin"}) as (_, front, _):
        assert set((await ask(front, session, 30)).values()) == {10}
    async with back(3, balancer={"kind": "random"}) as (_, front, _):
        assert min((await ask(front, session, 150)).values()) > 20


async def test_a_caller_keeps_its_instance_while_others_come_and_go(session: aiohttp.ClientSession) -> None:
    policy = {"balancer": {"kind": "hash", "hash_on": {"kind": "header", "name": "x-user"}}}
    async with back(4, **policy) as (_, front, addresses):

        async def homes() -> dict[int, str]:
            found = {}
            for user in range(40):
                (name,) = await ask(front, session, 1, headers={"x-user": str(user)})
                found[user] = name
            return found

        before = await homes()
        assert await homes() == before
        assert set(before.values()) == {"i0", "i1", "i2", "i3"}
        fewer = upstream("back", *addresses[:3], policy=Policy.model_validate(policy))
        await front.change(services=(fewer,))
        after = await homes()
        moved = {user for user in before if after[user] != before[user]}
        assert moved == {user for user, home in before.items() if home == "i3"}


async def test_a_full_service_is_left_alone(session: aiohttp.ClientSession) -> None:
    async with back(1, breaker={"requests": 3}) as (instances, front, _):
        instances[0].delay_s = 0.5

        async def one() -> tuple[int, str]:
            async with session.get("http://back/", proxy=front.proxy) as response:
                await response.read()
                return response.status, response.headers.get("mesh-reason", "")

        answers = Counter(await asyncio.gather(*(one() for _ in range(8))))
        assert answers == {(200, ""): 3, (503, "breaker_open"): 5}
        assert front.counted(reason="breaker_open") == 5
        instances[0].delay_s = 0.0
        assert (await one())[0] == 200


async def test_connections_being_opened_and_open_ones_have_limits(session: aiohttp.ClientSession) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with talker(silent) as address, sidecar("front", calls=()) as front:
        policy = Policy.model_validate({"breaker": {"connections": 2}})
        await front.change(services=(upstream("back", address, policy=policy, timeout_ms=300),))

        async def one() -> str:
            async with session.get("http://back/", proxy=front.proxy) as response:
                return await response.text()

        answers = await asyncio.gather(*(one() for _ in range(5)))
        refused = [text for text in answers if "breaker.connections" in text]
        assert len(refused) == 3
