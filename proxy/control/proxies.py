"""Which proxies a mesh has, and whose traffic each of them carries.

In: services and gateways. Out: one `Proxy` an instance with a sidecar, or one a node where several share it, and one a
gateway. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from proxy.control.documents import EndpointSpec, Gateway, Service


@dataclass(frozen=True)
class Proxy:
    """One proxy process: its name, its admin address, and the instances that it stands beside, or the gateway it is."""

    name: str
    admin: str | None
    instances: tuple[tuple[Service, EndpointSpec], ...] = field(repr=False)
    gateway: Gateway | None = field(default=None, repr=False)

    @property
    def is_node(self) -> bool:
        """Whether instances share it by the name of their node."""
        return any(e.sidecar and e.sidecar.node for _, e in self.instances)


def proxies_of(services: Sequence[Service], gateways: Sequence[Gateway] = ()) -> tuple[Proxy, ...]:
    """Every proxy: those of instances in the order of the first one, then those of gateways."""
    found: dict[str, list[tuple[Service, EndpointSpec]]] = {}
    for service in services:
        for endpoint in service.spec.endpoints:
            if endpoint.sidecar:
                found.setdefault(endpoint.sidecar.node or endpoint.instance, []).append((service, endpoint))
    beside = (Proxy(name, _admin(instances), tuple(instances)) for name, instances in found.items())
    return (*beside, *(Proxy(one.full_name, one.spec.admin, (), one) for one in gateways))


def mistakes_of(services: Sequence[Service], proxies: Sequence[Proxy]) -> Iterator[str]:
    """What keeps proxies from being told apart, or from being one process."""
    instances = {endpoint.instance for service in services for endpoint in service.spec.endpoints}
    names = {service.full_name for service in services} | instances
    for proxy in proxies:
        others = {other.name for other in proxies if other is not proxy}
        if proxy.gateway and proxy.name in names | others:
            yield f"Gateway {proxy.name}: is the name of a Service, an instance or a node too"
        sharing = [(e.instance, e.sidecar) for _, e in proxy.instances if e.sidecar and e.sidecar.node]
        if sharing and proxy.name in instances:
            yield f"node {proxy.name}: is the name of an instance too"
        for instance, sidecar in sharing:
            if sidecar.admin != proxy.admin:
                yield (
                    f"{instance}.sidecar.admin: is {sidecar.admin}, but node {proxy.name} is one "
                    f"process and has {proxy.admin}"
                )


def _admin(instances: list[tuple[Service, EndpointSpec]]) -> str:
    return next(endpoint.sidecar.admin for _, endpoint in instances if endpoint.sidecar)
