"""Which routes belong to which listeners of a gateway, and for which hosts.

In: Gateways and routes. Out: the hosts of a route at a listener; one line for each route that is at none. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from proxy.control.documents import Gateway, RouteDocument, Service
from proxy.control.documents.gateway import GatewayListener
from proxy.control.documents.route_parts import ParentRef
from proxy.control.hostnames import Hostname, common
from proxy.control.reading.references import missing


def hosts_of(route: RouteDocument, gateway: Gateway, listener: GatewayListener) -> tuple[Hostname, ...]:
    """The hosts for which a route is at a listener; none when it is not."""
    refs = (ref for ref in route.spec.parent_refs if ref.is_of(gateway, route))
    if not any(listener in _meant(ref, gateway) for ref in refs) or not _allows(listener, gateway, route):
        return ()
    return _shared(route, listener)


def unattached(routes: Iterable[RouteDocument], gateways: Iterable[Gateway]) -> Iterator[str]:
    """Routes that name a Gateway which is not there, or none of whose listeners takes them."""
    known = {gateway.full_name: gateway for gateway in gateways}
    for route in routes:
        for number, ref in enumerate(route.spec.parent_refs):
            if ref.kind == "Gateway":
                where = f"{route.kind} {route.full_name}: spec.parentRefs[{number}]"
                yield from (f"{where}{problem}" for problem in _problem(route, ref, known))


def unled(services: Iterable[Service], gateways: Iterable[Gateway]) -> Iterator[str]:
    """Services whose way out of the mesh is not there, or no way out."""
    known = {gateway.full_name: gateway for gateway in gateways}
    for service in services:
        where, name = f"Service {service.full_name}: spec.egress", service.spec.egress
        if name is None:
            continue
        if name not in known:
            yield missing(where, name, known, "Gateway")
        elif not known[name].spec.egress:
            yield f"{where}: Gateway {name} leads into the mesh; set egress: true of it, or name another"


def _problem(route: RouteDocument, ref: ParentRef, known: dict[str, Gateway]) -> Iterator[str]:
    name = ref.full_name(route)
    gateway = known.get(name)
    if gateway is None:
        yield missing("", name, known, "Gateway")
        return
    if gateway.spec.egress:
        yield f": Gateway {name} leads out of the mesh (egress), to the Services that name it under spec.egress"
        return
    meant = _meant(ref, gateway)
    if not meant:
        has = ", ".join(f"{listener.name} (port {listener.port})" for listener in gateway.spec.listeners)
        yield f": Gateway {name} has no listener of that sectionName and port; it has {has}"
        return
    allowing = [listener for listener in meant if _allows(listener, gateway, route)]
    if not allowing:
        yield (
            f": Gateway {name} takes routes of its own namespace only;"
            " set allowedRoutes.namespaces.from: All on its listener"
        )
    elif not any(_shared(route, listener) for listener in allowing):
        takes = ", ".join(str(listener.hostname) for listener in allowing)
        yield f": none of spec.hostnames is one that Gateway {name} listens for; it listens for {takes}"


def _meant(ref: ParentRef, gateway: Gateway) -> list[GatewayListener]:
    return [
        listener
        for listener in gateway.spec.listeners
        if ref.section_name in (None, listener.name) and ref.port in (None, listener.port)
    ]


def _allows(listener: GatewayListener, gateway: Gateway, route: RouteDocument) -> bool:
    everyone = listener.allowed_routes.namespaces.whose == "All"
    return everyone or route.metadata.namespace == gateway.metadata.namespace


def _shared(route: RouteDocument, listener: GatewayListener) -> tuple[Hostname, ...]:
    named: tuple[Hostname, ...] = route.spec.hostnames or (None,)
    return tuple(dict.fromkeys(host for name in named for host in common(name, listener.hostname)))
