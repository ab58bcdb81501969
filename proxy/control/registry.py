"""What runs where: every service and instance of the mesh, looked up by name.

In: a checked `Configuration`. Out: a `Registry` in which names are unique. Pure: no socket, no clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address
from typing import TypeVar

from proxy.control.addresses import listens_at, of_endpoint
from proxy.control.attachments import unattached, unled
from proxy.control.configuration import Configuration
from proxy.control.documents import (
    AuthorizationPolicy,
    Document,
    EndpointSpec,
    Gateway,
    Mesh,
    RouteDocument,
    Service,
    Telemetry,
    TrafficPolicy,
)
from proxy.control.documents.telemetry import TelemetrySpec
from proxy.control.errors import ConfigRefused, UnknownProxy
from proxy.control.names.virtual import virtual_addresses
from proxy.control.proxies import Proxy, mistakes_of, proxies_of
from proxy.control.reading.references import mixed_kinds, strangers, unheard_of, unknown, unprovable
from proxy.control.trust import Trust

D = TypeVar("D", bound=Document)


@dataclass(frozen=True)
class Registry:
    """All documents of one configuration, in the order they were written."""

    mesh: Mesh
    documents: tuple[Document, ...]
    left_out: dict[str, str] = field(default_factory=dict)
    """Instances that nobody is to call, and what is wrong with them."""
    trust: Trust | None = None
    """What the authority of the mesh says; None where it has none."""
    key_sets: dict[str, str] = field(default_factory=dict)
    """What was fetched from the URLs that RequestAuthentications name."""
    recording: frozenset[str] = frozenset()
    """Services that are to record everything for now."""

    @cached_property
    def _by_kind(self) -> dict[type[Document], tuple[Document, ...]]:
        return {}

    @cached_property
    def services(self) -> tuple[Service, ...]:
        """Every service."""
        return self.of(Service)

    @cached_property
    def virtual(self) -> dict[str, IPv4Address | IPv6Address]:
        """Addresses by service, of those that have none of their own, where the mesh has a network for them."""
        network = self.mesh.spec.dns.virtual
        if network is None:
            return {}
        return virtual_addresses((one.full_name for one in self.services if not one.spec.addresses), network)

    def of(self, kind: type[D]) -> tuple[D, ...]:
        """Every document of one kind."""
        if kind not in self._by_kind:
            self._by_kind[kind] = tuple(document for document in self.documents if isinstance(document, kind))
        return self._by_kind[kind]  # type: ignore[return-value]

    @cached_property
    def proxies(self) -> tuple[Proxy, ...]:
        """Every proxy process of the mesh."""
        return proxies_of(self.services, self.of(Gateway))

    def proxy(self, name: str) -> Proxy:
        """The proxy of that name: an instance's, a node's, or a gateway's; raises UnknownProxy."""
        for proxy in self.proxies:
            if proxy.name == name:
                return proxy
        for proxy in self.proxies:
            if name in {endpoint.instance for _, endpoint in proxy.instances}:
                raise UnknownProxy(f"instance {name!r} is carried by the proxy of node {proxy.name!r}: use --node")
        known = ", ".join(proxy.name for proxy in self.proxies) or "none"
        raise UnknownProxy(f"no sidecar of {name!r} is in the configuration; known proxies: {known}")

    def egress(self, service: Service) -> Gateway | None:
        """The gateway that leads to a service outside the mesh."""
        return next((one for one in self.of(Gateway) if one.full_name == service.spec.egress), None)

    def telemetry(self, proxy: Proxy) -> TelemetrySpec:
        """The settings of a gateway or of the services of a proxy, which are the same; mode `all` while one of these
        is to record everything."""
        spec = self.settings(proxy.gateway or proxy.instances[0][0])
        recorded = any(service.full_name in self.recording for service, _ in proxy.instances)
        return spec.model_copy(update={"mode": "all"}) if recorded else spec

    def settings(self, target: Document) -> TelemetrySpec:
        """Those of the mesh, with those of a service's or gateway's own Telemetry in their place."""
        mesh = self.mesh.spec.telemetry
        own = (one.spec for one in self.of(Telemetry) if one.concerns == target.full_name)
        return next((spec.on(mesh) for spec in own), mesh)

    def instances(self) -> Iterator[tuple[Service, EndpointSpec]]:
        """Every endpoint with its service."""
        for service in self.services:
            for endpoint in service.spec.endpoints:
                yield service, endpoint


def register(
    configuration: Configuration, left_out: dict[str, str] | None = None, key_sets: dict[str, str] | None = None
) -> Registry:
    """Turns checked documents into a registry; raises ConfigRefused when two of them claim the same thing."""
    registry = Registry(configuration.mesh, configuration.documents, left_out=left_out or {}, key_sets=key_sets or {})
    mistakes = [
        *_repeated(registry.documents),
        *_twice("instance", ((e.instance, f"{s.full_name}/{e.instance}") for s, e in registry.instances())),
        *_twice("authority", ((a, s.full_name) for s in registry.services for a in s.authorities)),
        *_twice("address", _listeners(registry)),
        *_twice("server name", ((n, s.full_name) for s in registry.services for n in s.server_names)),
        *_twice("address", ((a, s.full_name) for s in registry.services for a in s.spec.addresses)),
        *strangers(registry.documents, registry.services, registry.of(Gateway)),
        *unheard_of(registry.of(AuthorizationPolicy), registry.services, registry.of(Gateway)),
        *unattached(registry.of(RouteDocument), registry.of(Gateway)),
        *unled(registry.services, registry.of(Gateway)),
        *unknown(registry.mesh, registry.services),
        *unprovable(registry.mesh, registry.services),
        *mixed_kinds(registry.of(RouteDocument)),
        *mistakes_of(registry.services, registry.proxies),
        *_torn(registry),
        *_twice("TrafficPolicy of", ((one.concerns, one.full_name) for one in registry.of(TrafficPolicy))),
        *_twice("Telemetry of", ((one.concerns, one.full_name) for one in registry.of(Telemetry))),
    ]
    if mistakes:
        raise ConfigRefused(mistakes)
    return registry


def _listeners(registry: Registry) -> Iterator[tuple[str, str]]:
    """What listens where. Two instances may share an application; nothing may share an address with a sidecar."""
    yield from {of_endpoint(e, e.app): f"{e.instance}.app" for _, e in registry.instances()}.items()
    for _, endpoint in registry.instances():
        yield from listens_at(endpoint)
    for proxy in registry.proxies:
        if proxy.admin and proxy.gateway:
            yield proxy.admin, f"{proxy.name}.admin"
        elif proxy.admin and proxy.is_node:
            yield of_endpoint(proxy.instances[0][1], proxy.admin), f"{proxy.name}.sidecar.admin"
    for gateway in registry.of(Gateway):
        yield from ((address, f"{gateway.full_name}.listeners") for address in gateway.listens_at)


def _torn(registry: Registry) -> Iterator[str]:
    """Nodes whose one process would have to export in two ways."""
    for proxy in registry.proxies:
        if proxy.gateway:
            continue
        first, *others = (service for service, _ in proxy.instances)
        for service in others:
            if registry.settings(service) != registry.settings(first):
                yield (
                    f"node {proxy.name}: is one process and exports one way, but the Telemetry of "
                    f"{service.full_name} differs from that of {first.full_name}"
                )


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
