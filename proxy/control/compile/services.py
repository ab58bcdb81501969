"""A service as those who call it see it."""

from __future__ import annotations

from proxy.control.compile.faults import faults
from proxy.control.compile.policies import policy
from proxy.control.compile.routes import routes
from proxy.control.documents import Document, Service
from proxy.control.registry import Registry
from proxy.snapshot import Endpoint, Upstream


def upstream(registry: Registry, service: Service, caller: Document) -> Upstream:
    """The same with the routes that the calls of an application take."""
    made = called(registry, service, caller)
    return made.model_copy(update={"routes": routes(registry, service, caller.metadata.namespace)})


def called(registry: Registry, service: Service, caller: Document) -> Upstream:
    """Its names, its instances and how `caller` calls it."""
    return Upstream(
        name=service.full_name,
        authorities=service.authorities,
        protocol=service.spec.protocol,
        connect_timeout_ms=service.spec.connect_timeout,
        timeout_ms=service.spec.timeout,
        server_names=service.server_names,
        addresses=service.spec.addresses,
        endpoints=tuple(
            Endpoint(address=e.reachable_at, version=e.version, instance=e.instance, zone=e.zone)
            for e in service.spec.endpoints
        ),
        policy=policy(registry, service),
        faults=faults(registry, service, caller),
    )
