"""What runs where: every service and instance of the mesh, looked up by name.

In: a checked `Configuration`. Out: a `Registry` in which names are unique. Pure: no socket, no clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from proxy.control.documents import Document, EndpointSpec, Mesh, RouteDocument, Service, Telemetry, TrafficPolicy
from proxy.control.errors import ConfigRefused, UnknownInstance
from proxy.control.read import Configuration
from proxy.control.references import mixed_kinds, strangers, unknown

D = TypeVar("D", bound=Document)


@dataclass(frozen=True)
class Registry:
    """All documents of one configuration, in the order they were written."""

    mesh: Mesh
    documents: tuple[Document, ...]

    @cached_property
    def services(self) -> tuple[Service, ...]:
        """Every service."""
        return self.of(Service)

    def of(self, kind: type[D]) -> tuple[D, ...]:
        """Every document of one kind."""
        return tuple(document for document in self.documents if isinstance(document, kind))

    def find(self, instance: str) -> tuple[Service, EndpointSpec]:
        """The service and endpoint an instance name stands for; raises UnknownInstance."""
        for service, endpoint in self.instances():
            if endpoint.instance == instance:
                return service, endpoint
        known = ", ".join(endpoint.instance for _, endpoint in self.instances()) or "none"
        raise UnknownInstance(f"instance {instance!r} is in no Service; known instances: {known}")

    def instances(self) -> Iterator[tuple[Service, EndpointSpec]]:
        """Every endpoint with its service."""
        for service in self.services:
            for endpoint in service.spec.endpoints:
                yield service, endpoint


def register(configuration: Configuration) -> Registry:
    """Turns checked documents into a registry; raises ConfigRefused when two of them claim the same thing."""
    registry = Registry(mesh=configuration.mesh, documents=configuration.documents)
    mistakes = [
        *_repeated(registry.documents),
        *_twice("instance", ((e.instance, f"{s.full_name}/{e.instance}") for s, e in registry.instances())),
        *_twice("authority", ((a, s.full_name) for s in registry.services for a in s.authorities)),
        *_twice("address", _listeners(registry)),
        *_twice("server name", ((n, s.full_name) for s in registry.services for n in s.server_names)),
        *_twice("address", ((a, s.full_name) for s in registry.services for a in s.spec.addresses)),
        *strangers(registry.documents, registry.services),
        *unknown(registry.mesh, registry.services),
        *mixed_kinds(registry.of(RouteDocument)),
        *_twice("TrafficPolicy of", ((one.concerns, one.full_name) for one in registry.of(TrafficPolicy))),
        *_twice("Telemetry of", ((one.concerns, one.full_name) for one in registry.of(Telemetry))),
    ]
    if mistakes:
        raise ConfigRefused(mistakes)
    return registry


def _listeners(registry: Registry) -> Iterator[tuple[str, str]]:
    """What listens where. Two instances may share an application; nothing may share an address with a sidecar."""
    yield from {e.app: f"{e.instance}.app" for _, e in registry.instances()}.items()
    for _, endpoint in registry.instances():
        if endpoint.sidecar is None:
            continue
        for field in ("inbound", "outbound", "admin"):
            yield getattr(endpoint.sidecar, field), f"{endpoint.instance}.sidecar.{field}"
        for place, listener in enumerate(endpoint.sidecar.listeners):
            yield listener.listen, f"{endpoint.instance}.sidecar.listeners[{place}]"


def _repeated(documents: tuple[Document, ...]) -> list[str]:
    titles = Counter(f"{document.kind} {document.full_name}" for document in documents)
    return [f"{title} is written {count} times" for title, count in titles.items() if count > 1]


def _twice(what: str, claims: Iterator[tuple[str, str]] | list[tuple[str, str]]) -> list[str]:
    owners: dict[str, str] = {}
    mistakes = []
    for key, owner in claims:
        if key in owners:
            mistakes.append(f"{what} {key} is claimed twice: by {owners[key]} and by {owner}")
        owners.setdefault(key, owner)
    return mistakes
