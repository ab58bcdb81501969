"""A service as those who call it see it."""

from __future__ import annotations

from proxy.control.compile.encryption import proven
from proxy.control.compile.faults import faults
from proxy.control.compile.origination import origination
from proxy.control.compile.policies import policy
from proxy.control.compile.routes import routes
from proxy.control.documents import Document, Gateway, Service
from proxy.control.registry import Registry
from proxy.snapshot import Endpoint, Policy, Upstream


def upstream(registry: Registry, service: Service, caller: Document) -> Upstream:
    """The same with the routes that the calls of an application take."""
    made = called(registry, service, caller).model_copy(
        update={"routes": routes(registry, service, caller.metadata.namespace)}
    )
    gateway = registry.egress(service)
    if gateway is None:
        return made
    return made.model_copy(update={"endpoints": _doors(gateway), "policy": Policy(), "outside": False, "tls": None})


def _doors(gateway: Gateway) -> tuple[Endpoint, ...]:
    """The gateway that leads to a service outside stands in for its instances."""
    spec, name = gateway.spec, gateway.full_name
    return tuple(
        Endpoint(address=address, version=spec.version, instance=name, zone=spec.zone) for address in gateway.listens_at
    )


def _addresses(registry: Registry, service: Service) -> tuple[str, ...]:
    """Its own, or the virtual one that the DNS door gives it."""
    virtual = registry.virtual.get(service.full_name)
    if virtual is None:
        return service.spec.addresses
    host = f"[{virtual}]" if virtual.version == 6 else str(virtual)
    return (f"{host}:{service.spec.port}",)


def called(registry: Registry, service: Service, caller: Document) -> Upstream:
    """Its names, its instances and how `caller` calls it."""
    return Upstream(
        name=service.full_name,
        authorities=service.authorities,
        protocol=service.spec.protocol,
        connect_timeout_ms=service.spec.connect_timeout,
        timeout_ms=service.spec.timeout,
        server_names=service.server_names,
        addresses=_addresses(registry, service),
        endpoints=tuple(
            Endpoint(address=e.reachable_at, version=e.version, instance=e.instance, zone=e.zone)
            for e in service.spec.endpoints
            if e.instance not in registry.left_out
        ),
        policy=policy(registry, service),
        faults=faults(registry, service, caller),
        outside=service.spec.egress is not None or service.spec.tls is not None,
        identity=proven(registry, service),
        tls=origination(service),
    )
