"""A mesh as wide as one likes: services in a ring, each with several instances, a proxy beside the first of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.world import meshes


@dataclass(frozen=True)
class Wide:
    """So many services of so many instances; each says that it calls the next `calls`, or nothing of whom it calls."""

    services: int
    instances: int
    calls: int | None

    @property
    def proxies(self) -> list[str]:
        return [_instance(place, 0) for place in range(self.services)]

    def documents(self) -> list[dict[str, Any]]:
        """Mesh and Services, as a file has them."""
        return [self.mesh(), *(self.service(place) for place in range(self.services))]

    def mesh(self, **spec: Any) -> dict[str, Any]:
        return meshes.mesh("wide", telemetry={"enabled": False}, **spec)

    def service(self, place: int, *, more: int = 0) -> dict[str, Any]:
        """One of them, with so many instances more than the others."""
        calls = None if self.calls is None else [_name(place + step, self) for step in range(1, self.calls + 1)]
        endpoints = [_endpoint(place, number) for number in range(self.instances + more)]
        return meshes.service(_name(place, self), *endpoints, **({} if calls is None else {"calls": calls}))

    def callers(self, place: int) -> list[str]:
        """The proxies that a change of this service concerns."""
        if self.calls is None:
            return self.proxies
        return [_instance((place - step) % self.services, 0) for step in range(1, self.calls + 1)]


def _name(place: int, wide: Wide) -> str:
    return f"service-{place % wide.services}"


def _instance(place: int, number: int) -> str:
    return f"service-{place}-{number}"


def _endpoint(place: int, number: int) -> dict[str, Any]:
    own = f"10.{number}.{place // 250}.{place % 250 + 1}"
    sidecar = {"inbound": f"{own}:15006", "outbound": "127.0.0.1:15001", "admin": "127.0.0.1:15020"}
    beside: dict[str, Any] = {} if number else {"host": f"node-{place}", "sidecar": sidecar}
    return {"instance": _instance(place, number), "app": f"{own}:8080", **beside}
