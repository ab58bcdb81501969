"""The instances that a proxy stands beside."""

from __future__ import annotations

from proxy.control.compile.authorization import authorization
from proxy.control.compile.encryption import identity
from proxy.control.compile.listeners import inbound, outbound
from proxy.control.documents import EndpointSpec, Service
from proxy.control.registry import Registry
from proxy.snapshot import Node, Upstream, Workload


def workload(registry: Registry, service: Service, endpoint: EndpointSpec, reached: tuple[Upstream, ...]) -> Workload:
    """One instance of a service: its identity, where its proxy listens for it, and what it may call."""
    return Workload(
        node=Node(
            service=service.full_name,
            version=endpoint.version,
            instance=endpoint.instance,
            namespace=service.metadata.namespace,
            zone=endpoint.zone,
        ),
        identity=identity(registry, service),
        inbound=inbound(registry, service, endpoint),
        outbound=outbound(endpoint, registry.mesh.spec.outbound),
        authorization=authorization(registry, service),
        services=reached,
    )
