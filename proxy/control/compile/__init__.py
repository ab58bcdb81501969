"""Compiles the registry into what one proxy must do.

In: registry, instance name, epoch. Out: a `Snapshot`. Pure: the same input gives the same bytes.
"""

from __future__ import annotations

from proxy.control.compile.limits import limits
from proxy.control.compile.listeners import inbound, outbound
from proxy.control.compile.services import upstream
from proxy.control.compile.telemetry import telemetry
from proxy.control.registry import Registry
from proxy.snapshot import Node, Snapshot


def compile_snapshot(registry: Registry, instance: str, epoch: int) -> Snapshot:
    """Everything the proxy beside `instance` must do as of `epoch`; raises UnknownInstance."""
    service, endpoint = registry.find(instance)
    return Snapshot(
        epoch=epoch,
        node=Node(
            service=service.full_name,
            version=endpoint.version,
            instance=endpoint.instance,
            namespace=service.metadata.namespace,
            zone=endpoint.zone,
        ),
        inbound=inbound(registry, service, endpoint),
        outbound=outbound(endpoint, registry.mesh.spec.outbound),
        services=tuple(upstream(registry, other, service) for other in registry.services),
        telemetry=telemetry(registry, service),
        limits=limits(registry.mesh.spec.limits),
    )
