"""Generates a system from a seed: layers of services, each called by some of the layers above it.

In: a seed. Out: the same System each time. Sizes, depths and habits are drawn from what is met in the field: 5 to 60
services, 2 to 10 hops, one to four instances, tails and second modes, callers that retry, break, cache and swallow.
"""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise

from tests.rootcause.proving.system import Call, Entry, Family, Instance, Leaf, Route, Service, Style, System

WORDS = (
    *("account", "address", "audit", "auth", "basket", "billing", "booking", "carrier", "claims", "content", "coupon"),
    *("credit", "currency", "delivery", "device", "discount", "document", "email", "fare", "feed", "fraud", "geo"),
    *("graph", "history", "identity", "image", "index", "invoice", "item", "ledger", "limit", "loyalty", "media"),
    *("message", "metering", "notify", "offer", "order", "partner", "plan", "policy", "price", "profile", "quote"),
    *("rating", "refund", "report", "review", "route", "search", "seat", "session", "stock", "tax", "ticket", "token"),
    *("tracking", "user", "vendor", "voucher", "warehouse", "weather", "widget", "zone"),
)
STORES = ("postgresql", "mysql", "mongodb", "cassandra", "redis", "memcached", "elasticsearch", "dynamodb")
THIRD_PARTIES = ("api.cards.example", "sms.gateway.example", "maps.example", "ratings.partner.example")
FAMILIES: tuple[Family, ...] = ("steady", "steady", "heavy-tailed", "bimodal")
STYLES = Style("route", ""), Style("route", "name"), Style("method", "name"), Style("method", "address")
SLOW_RATES, FAST_RATES = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0), (20.0, 80.0, 500.0)
MOST_SPANS = 70.0
"""A request that leaves more on average is a batch, not an answer."""
MOST_SPANS_A_SECOND = 2_000.0
"""More of them say the same, later."""


class Builder:
    """One system in the making."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(f"system {seed}")
        self._seed = seed

    def build(self) -> System:
        """Rolls all of it."""
        dice = self._dice
        fast = dice.random() < 0.2
        count = dice.randint(5, 12) if fast else round(5 * 12 ** dice.random())
        depth = min(count - 1, dice.choice((2, 3, 3, 4, 5, 8, 10)))
        layers = self._layers(count, depth)
        leaves = self._leaves(count)
        parents = self._parents(layers)
        services: dict[str, Service] = {}
        for layer in reversed(layers):
            for name in layer:
                callees = [services[callee] for callee in parents.get(name, ())]
                services[name] = self._service(name, callees, leaves, front=layer is layers[0])
        services = self._diamonds(layers, services)
        entries = self._entries(layers[0], services)
        later = self._later(layers, services)
        style = dice.choice(STYLES)
        size = max(_spans(services, entry.service, entry.route) for entry in entries)
        rate = min(dice.choice(FAST_RATES if fast else SLOW_RATES), MOST_SPANS_A_SECOND / size)
        return System(self._seed, services, leaves, entries, style, rate, dice.choice((0.0, 0.3)), rate * size, later)

    def _layers(self, count: int, depth: int) -> list[list[str]]:
        names = self._dice.sample(WORDS, count) if count <= len(WORDS) else []
        layers: list[list[str]] = [[names.pop()] for _ in range(depth + 1)]
        for name in names:
            layers[self._dice.choice((0, *range(1, depth + 1), *range(1, depth + 1)))].append(name)
        layers[0] = layers[0][:3] if len(layers[0]) <= 3 else layers[0]
        layers[1] += layers[0][3:]
        layers[0] = layers[0][:3]
        return layers

    def _parents(self, layers: list[list[str]]) -> dict[str, list[str]]:
        """Callees by caller: everybody is called by somebody of the layer above."""
        found: dict[str, list[str]] = {}
        for above, layer in pairwise(layers):
            for name in layer:
                found.setdefault(self._dice.choice(above), []).append(name)
        return found

    def _leaves(self, count: int) -> dict[str, Leaf]:
        kinds = self._dice.sample(STORES, min(len(STORES), 1 + count // 8)) + self._dice.sample(
            THIRD_PARTIES, self._dice.randint(0, 2)
        )
        fast = {"redis": 0.6, "memcached": 0.4}
        return {
            name: Leaf(name, fast.get(name, self._dice.uniform(2, 40)), self._dice.choice(FAMILIES)) for name in kinds
        }

    def _service(self, name: str, callees: list[Service], leaves: dict[str, Leaf], *, front: bool) -> Service:
        dice = self._dice
        grpc = dice.random() < 0.4
        routes = {}
        calls = [call for one in callees for call in self._calls(one)] + self._own_leaves(leaves)
        dice.shuffle(calls)
        count = dice.randint(2, 4) if front else dice.choice((1, 1, 1, 2))
        for index in range(count):
            title = f"acme.{name.title()}/Get{index}" if grpc else f"GET /{name}/{'x' * index or '{id}'}"
            mine = calls[index::count] if count > 1 else calls
            routes[title] = Route(title, 10 ** dice.uniform(0, 1.6), (self._stages(mine),))
        two_versions = dice.random() < 0.15
        instances = tuple(
            Instance(f"{name}-{dice.randrange(16**5):05x}", "v2" if two_versions and index else "v1")
            for index in range(max(1 + two_versions, dice.choice((1, 1, 2, 3, 4))))
        )
        errors = dice.choice((0.0, 0.0, 0.0, 0.001, dice.uniform(0.01, 0.05)))
        return Service(name, routes, instances, dice.choice(FAMILIES), errors, dice.uniform(0.05, 0.3))

    def _calls(self, callee: Service) -> list[Call]:
        """All routes of a callee are of use to somebody."""
        routes = list(callee.routes)
        return [self._call(callee, route, 1 / len(routes)) for route in routes]

    def _call(self, callee: Service, route: str, share: float) -> Call:
        dice = self._dice
        call = Call(callee.name, route, share=share * dice.choice((1.0, 1.0, 1.0, 0.5)))
        call = replace(call, swallowed=dice.random() < 0.1, retries=dice.choice((0, 0, 0, 1, 2)))
        call = replace(call, timeout_ms=dice.choice((3_000.0, 10_000.0)), breaker=dice.random() < 0.2)
        if dice.random() < 0.08:
            return replace(call, queued=True, linked=dice.random() < 0.3, retries=0)
        return call

    def _own_leaves(self, leaves: dict[str, Leaf]) -> list[Call]:
        dice = self._dice
        found = []
        for leaf in dice.sample(list(leaves), min(len(leaves), dice.choice((0, 1, 1, 2)))):
            found.append(Call(leaf, times=dice.choice((1, 1, 1, 2, 3))))
        caches = [leaf for leaf in leaves if leaf in ("redis", "memcached")]
        behind = [call for call in found if call.to not in caches]
        if caches and behind and dice.random() < 0.5:
            found = [Call(caches[0])] + [replace(call, cached=dice.uniform(0.7, 0.95)) for call in behind]
        return found

    def _stages(self, calls: list[Call]) -> tuple[tuple[Call, ...], ...]:
        """A cache is asked before what is behind it."""
        order = sorted(calls, key=lambda call: call.cached > 0)
        if len(order) > 1 and not any(call.cached for call in order) and self._dice.random() < 0.4:
            return (tuple(order),)
        return tuple((call,) for call in order)

    def _diamonds(self, layers: list[list[str]], services: dict[str, Service]) -> dict[str, Service]:
        """Services that several others call, while requests stay of a usual size."""
        dice = self._dice
        for _ in range(len(services) // 2):
            above = dice.randrange(len(layers) - 1)
            below = dice.randrange(above + 1, len(layers))
            caller, callee = services[dice.choice(layers[above])], services[dice.choice(layers[below])]
            more = dict(services)
            call = self._call(callee, dice.choice(list(callee.routes)), 1.0)
            more[caller.name] = _also_calls(caller, dice.choice(list(caller.routes)), call)
            if max(_spans(more, name, route) for name in layers[0] for route in more[name].routes) <= MOST_SPANS:
                services = more
        return services

    def _entries(self, fronts: list[str], services: dict[str, Service]) -> tuple[Entry, ...]:
        dice = self._dice
        entries = []
        if dice.random() < 0.3:
            for name in fronts:
                services[name] = _one_route_for_all(services[name])
        for index, name in enumerate(fronts):
            weight = dice.uniform(0.3, 1.0) / (1 + 2 * index)
            entries += [Entry(name, route, weight * dice.uniform(0.2, 1.0)) for route in services[name].routes]
        if dice.random() < 0.4:
            services["scheduler"] = self._job("scheduler", services)
            entries.append(Entry("scheduler", "run", 0.15))
        return tuple(entries)

    def _job(self, name: str, services: dict[str, Service]) -> Service:
        """It calls some of the others, one after the other."""
        dice = self._dice
        callees = dice.sample(sorted(services), min(2, len(services)))
        calls = [self._call(services[callee], next(iter(services[callee].routes)), 1.0) for callee in callees]
        way = tuple((replace(call, times=2, queued=False),) for call in calls)
        return Service(name, {"run": Route("run", 8.0, (way,))}, (Instance(f"{name}-0", "v1"),))

    def _later(self, layers: list[list[str]], services: dict[str, Service]) -> dict[str, Entry]:
        front, below = services[layers[0][0]], services[self._dice.choice(layers[1])]
        call = self._call(below, next(iter(below.routes)), 1.0)
        new = Route("POST /new", 15.0, (((replace(call, times=2),),),))
        services[front.name] = replace(front, routes={**front.routes, new.name: new})
        services["nightly"] = self._job("nightly", services)
        return {"new route": Entry(front.name, new.name, 0.2), "batch": Entry("nightly", "run", 0.5)}


def _also_calls(caller: Service, route: str, call: Call) -> Service:
    had = caller.routes[route]
    ways = tuple((*way, (call,)) for way in had.ways)
    return replace(caller, routes={**caller.routes, route: replace(had, ways=ways)})


def _one_route_for_all(gateway: Service) -> Service:
    routes = list(gateway.routes.values())
    ways = tuple(way for route in routes for way in route.ways)
    return replace(gateway, routes={"proxy": Route("proxy", routes[0].own_ms, ways)})


def _spans(services: dict[str, Service], name: str, route: str) -> float:
    """That one request leaves on average."""
    if name not in services:
        return 0.0
    found = services[name].routes[route]
    calls = sum(call.share * call.times * (1 + _spans(services, call.to, call.route)) for call in found.calls())
    return 1 + calls / len(found.ways)


def build(seed: int) -> System:
    """The system of this seed."""
    return Builder(seed).build()
