"""Carries out orders to break the shop, and heals it again.

In: orders. Out: a service, link, version or process that is really broken. Never: a touch on what the mesh reports.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp

from deploy.demo.mesh import WIRE, Instance
from deploy.demo.order import Order, behaviour, milliseconds, share
from deploy.demo.shop import RunningShop, next_instance
from deploy.local.supervise import Supervisor

Heal = Callable[[], Awaitable[None]]


class Faults:
    """The faults in force, one a service; a new order for a service replaces the old one."""

    def __init__(self, shop: RunningShop, supervisor: Supervisor, http: aiohttp.ClientSession) -> None:
        self._shop = shop
        self._supervisor = supervisor
        self._http = http
        self._heal: dict[str, Heal] = {}
        self._one_at_a_time = asyncio.Lock()
        self._inject: dict[str, Callable[[Order], Awaitable[Heal]]] = {
            "latency": self._slow_or_failing,
            "errors": self._slow_or_failing,
            "cpu": self._burning,
            "link": self._delayed,
            "version": self._rolled_out,
            "crash": self._crashed,
        }
        self.active: dict[str, Order] = {}

    async def inject(self, order: Order) -> None:
        """Breaks what the order names; raises NoSuchInstance, StartFailed or PortTaken, and nothing is broken then."""
        self._shop.of_service(order.service, order.instance)
        await self.clear(order.service)
        async with self._one_at_a_time:
            self._heal[order.service] = await self._inject[order.kind](order)
            self.active[order.service] = order

    async def clear(self, service: str) -> None:
        """Heals one service; nothing happens to one that is well."""
        async with self._one_at_a_time:
            if heal := self._heal.pop(service, None):
                await heal()
                del self.active[service]

    async def _slow_or_failing(self, order: Order) -> Heal:
        return await self._misbehave(order, *behaviour(order.amount))

    async def _burning(self, order: Order) -> Heal:
        return await self._misbehave(order, "busy_share", share(order.amount))

    async def _misbehave(self, order: Order, field: str, amount: float) -> Heal:
        instances = self._shop.of_service(order.service, order.instance)

        async def tell(fault: dict[str, float]) -> None:
            for instance in instances:
                async with self._http.post(f"{self._shop.app(instance)}/_fault", json=fault) as answer:
                    answer.raise_for_status()

        await tell({field: amount})
        return lambda: tell({})

    async def _delayed(self, order: Order) -> Heal:
        instances = self._shop.of_service(order.service, order.instance)

        async def delay(ms: float) -> None:
            for instance in instances:
                url = f"{self._shop.url(WIRE)}/links/{instance.name}/delay"
                async with self._http.put(url, json={"ms": ms}) as answer:
                    answer.raise_for_status()

        await delay(milliseconds(order.amount))
        return lambda: delay(0.0)

    async def _rolled_out(self, order: Order) -> Heal:
        field, amount = behaviour(order.amount)
        instance = next_instance(self._shop.instances, order.service, f"{field}={amount}")
        await self._shop.appear(instance, self._supervisor, self._http)
        return lambda: self._shop.vanish(instance, self._supervisor, self._http)

    async def _crashed(self, order: Order) -> Heal:
        instances = self._shop.of_service(order.service, order.instance)
        victims = instances if order.amount == "all" else instances[:1]
        await asyncio.gather(*(self._supervisor.kill(victim.name) for victim in victims))
        return lambda: self._revive(victims)

    async def _revive(self, victims: list[Instance]) -> None:
        await self._supervisor.start([self._shop.app_process(victim) for victim in victims])
