"""Where the proxy beside one instance listens."""

from __future__ import annotations

from proxy.control.compile.encryption import demand
from proxy.control.compile.gate import gate
from proxy.control.documents import EndpointSpec, OutboundSpec, Service
from proxy.control.registry import Registry
from proxy.snapshot import Inbound, Listener, Outbound


def inbound(registry: Registry, service: Service, endpoint: EndpointSpec) -> Inbound | None:
    """The way in to the application, where the instance has a proxy."""
    if endpoint.sidecar is None:
        return None
    return Inbound(
        listen=endpoint.sidecar.inbound,
        app=endpoint.app,
        protocol=service.spec.protocol,
        connect_timeout_ms=service.spec.connect_timeout,
        timeout_ms=service.spec.timeout,
        transparent=endpoint.sidecar.transparent,
        gate=gate(registry, service),
        tls=demand(registry, service),
    )


def outbound(endpoint: EndpointSpec, spec: OutboundSpec) -> Outbound | None:
    """The ways out of the application, where the instance has a proxy."""
    if endpoint.sidecar is None:
        return None
    return Outbound(
        listen=endpoint.sidecar.outbound,
        listeners=tuple(Listener(listen=each.listen, service=each.service) for each in endpoint.sidecar.listeners),
        connect=spec.connect,
        transparent=endpoint.sidecar.transparent,
        outside=spec.outside,
    )
