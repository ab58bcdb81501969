"""A Gateway as its proxy serves it: the hosts of each address, and the routes of each host.

In: a Gateway and the routes that name it. Out: a workload without an application. A host is that of its most specific
listener alone; of the routes there the one with the more specific hostname counts, and then what counts for every route
(Gateway API, `Listener.hostname` and `HTTPRoute.spec.hostnames`).
"""

from __future__ import annotations

from collections.abc import Iterator

from proxy.control.attachments import hosts_of
from proxy.control.compile.authorization import authorization
from proxy.control.compile.encryption import identity
from proxy.control.compile.gate import gate
from proxy.control.compile.routes import matches
from proxy.control.compile.services import called
from proxy.control.documents import Gateway, RouteDocument, Service
from proxy.control.documents.gateway import GatewayListener
from proxy.control.hostnames import Hostname, covers, rank
from proxy.control.registry import Registry
from proxy.snapshot import Door, DoorCertificate, Node, Upstream, VirtualHost, Workload
from proxy.snapshot import Gateway as GatewayPart
from proxy.snapshot.routes import Backend, Route

Attached = list[tuple[RouteDocument, tuple[Hostname, ...]]]
"""The routes at a listener, each with its hosts there."""


def gateway_workload(registry: Registry, gateway: Gateway) -> Workload:
    """Its identity, where it listens, and the services that its routes lead to."""
    spec = gateway.spec
    if spec.egress:
        hosts = tuple(_outside(registry, gateway))
        doors = tuple(Door(listen=address, hosts=hosts) for address in gateway.listens_at)
    else:
        doors = tuple(_door(registry, gateway, *listening) for listening in gateway.listens_at.items())
    needed = {name for door in doors for host in door.hosts for route in host.routes for name in _services(route)}
    return Workload(
        node=Node(
            service=gateway.full_name,
            version=spec.version,
            instance=gateway.full_name,
            namespace=gateway.metadata.namespace,
            zone=spec.zone,
        ),
        identity=identity(registry, gateway),
        gateway=GatewayPart(
            doors=doors,
            callers="mesh" if spec.egress else "outside",
            trace="continue" if spec.trace == "Continue" else "restart",
            trusted_hops=spec.trusted_hops,
            gate=gate(registry, gateway),
        ),
        authorization=authorization(registry, gateway),
        services=tuple(_called(registry, one, gateway) for one in registry.services if one.full_name in needed),
    )


def _called(registry: Registry, service: Service, gateway: Gateway) -> Upstream:
    """On the way out faults are made by the proxies of the applications that call, and only there."""
    made = called(registry, service, gateway)
    return made.model_copy(update={"faults": ()}) if gateway.spec.egress else made


def _outside(registry: Registry, gateway: Gateway) -> Iterator[VirtualHost]:
    """The Services that the gateway leads to, by every name they have."""
    for service in registry.services:
        if registry.egress(service) is gateway:
            name = service.full_name
            route = Route(name=f"{gateway.full_name}/{name}", backends=(Backend(service=name),))
            yield from (VirtualHost(host=host, routes=(route,)) for host in service.hosts)


def _door(registry: Registry, gateway: Gateway, address: str, listeners: tuple[GatewayListener, ...]) -> Door:
    routes = registry.of(RouteDocument)
    attached: dict[Hostname, Attached] = {
        listener.hostname: [(route, hosts) for route in routes if (hosts := hosts_of(route, gateway, listener))]
        for listener in listeners
    }
    names = {*attached, *(host for found in attached.values() for _, hosts in found for host in hosts)}
    made = []
    for name in sorted(names, key=lambda one: (rank(one), one or "")):
        listener = min((each for each in attached if covers(each, name)), key=rank)
        made.append(VirtualHost(host=name, routes=_routes(attached[listener], name)))
    return Door(
        listen=address,
        hosts=tuple(one for one in made if one.routes or one.host),
        certificates=tuple(_certificates(listeners)),
    )


def _certificates(listeners: tuple[GatewayListener, ...]) -> Iterator[DoorCertificate]:
    for one in listeners:
        if one.tls:
            yield DoorCertificate(host=one.hostname, certificate=one.tls.certificate, key=one.tls.key)


def _routes(attached: Attached, name: Hostname) -> tuple[Route, ...]:
    """The routes for a host, the first to try first."""
    found = []
    for document, hosts in attached:
        if best := sorted(rank(host) for host in hosts if covers(host, name)):
            found += [(best[0], *match) for match in matches(document)]
    return tuple(route for *_, route in sorted(found, key=lambda one: one[:3]))


def _services(route: Route) -> Iterator[str]:
    yield from (backend.service for backend in route.backends)
    yield from (mirror.to.service for mirror in route.mirrors)
