"""Says what a configuration would do with requests that were made under another one.

In: a registry, and flows as proxies recorded them. Out: what becomes of each, by the very code that proxies decide and
look up routes with. Headers and claims are not recorded: they are taken to be absent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from proxy._engine import decide, route_taken
from proxy.control.compile.authorization import authorization
from proxy.control.compile.services import upstream
from proxy.control.documents import Gateway, Service
from proxy.control.policies.check import Unknown, caller_identity
from proxy.control.registry import Registry
from proxy.snapshot.authorization import Authorization
from proxy.snapshot.routes import Route


@dataclass(frozen=True)
class Answer:
    """What becomes of a flow: a word to compare by, and why it is so."""

    verdict: str
    why: str = ""


class Replay:
    """The answers of one registry; compiled once for each callee, and for each pair of caller and callee."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        targets: tuple[Service | Gateway, ...] = (*registry.services, *registry.of(Gateway))
        self._targets = {target.full_name: target for target in targets}
        self._guards: dict[str, Authorization | None] = {}
        self._routes: dict[tuple[str, str], tuple[Route, ...] | None] = {}

    def decision(self, caller: str, service: str, method: str, path: str) -> Answer:
        """`allowed`, `denied`, or `gone` where there is no such callee; without a method, of a tunnel."""
        target = self._targets.get(service)
        if target is None:
            return Answer("gone", f"there is no Service or Gateway {service}")
        if service not in self._guards:
            self._guards[service] = authorization(self._registry, target)
        guard = self._guards[service]
        if guard is None:
            return Answer("allowed", "no policy is for it")
        asked = {"caller": self._identity(caller), "port": guard.ports[0], "method": method or None, "path": path}
        decided = json.loads(decide(guard.model_dump_json(), json.dumps(asked)))
        if decided["allowed"]:
            return Answer("allowed", decided["rule"] or "no policy in force is for it")
        named = f" by {decided['rule']}" if decided["rule"] else ""
        missed = f": {decided['missed']}" if decided["missed"] else ""
        return Answer("denied", f"{decided['reason']}{named}{missed}")

    def route(self, caller: str, authority: str, method: str, path: str) -> Answer | None:
        """The rule that is taken, by name; empty where the service has no routes. None where that cannot be said."""
        near = self._targets.get(caller)
        if not isinstance(near, Service):
            return None
        service = next((one for one in self._registry.services if _means(one, authority)), None)
        if service is None:
            return Answer("gone", f"no service has the authority {authority}")
        pair = (caller, service.full_name)
        if pair not in self._routes:
            self._routes[pair] = upstream(self._registry, service, near).routes
        routes = self._routes[pair]
        if routes is None:
            return Answer("", f"to {service.full_name}, which has no routes")
        place = route_taken(_as_json(routes), json.dumps({"method": method, "path": path}))
        if place is None:
            return Answer("no_route", "no rule is for it")
        return Answer(routes[place].name, f"to {', '.join(_backends(routes[place])) or 'nowhere'}")

    def _identity(self, caller: str) -> str | None:
        try:
            return caller_identity(self._registry, caller) if caller else None
        except Unknown:
            return None


def _means(service: Service, authority: str) -> bool:
    return authority in service.authorities or authority.removesuffix(":80") in service.authorities


def _as_json(routes: tuple[Route, ...]) -> str:
    return json.dumps([route.model_dump(mode="json") for route in routes])


def _backends(route: Route) -> Iterator[str]:
    for backend in route.backends:
        if backend.weight:
            yield f"{backend.service} {backend.version}".rstrip()
