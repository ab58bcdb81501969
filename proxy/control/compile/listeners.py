"""Where the proxy beside one instance listens."""

from __future__ import annotations

from proxy.control.compile.gate import gate
from proxy.control.documents import EndpointSpec, Service
from proxy.control.registry import Registry
from proxy.snapshot import Inbound, Outbound


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
        gate=gate(registry, service),
    )


def outbound(endpoint: EndpointSpec) -> Outbound | None:
    """The way out of the application, where the instance has a proxy."""
    return Outbound(listen=endpoint.sidecar.outbound) if endpoint.sidecar else None
