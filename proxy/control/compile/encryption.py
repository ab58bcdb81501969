"""Who each proxy is, whom it believes, and where connections are encrypted.

In: what the authority has proxies trust, `spec.mtls` of the Mesh. Out: the SPIFFE ids and demands of a snapshot. Never:
an identity where there is no authority.
"""

from __future__ import annotations

from proxy.control.authority.spiffe import spiffe_id
from proxy.control.documents import Document, Service
from proxy.control.registry import Registry
from proxy.snapshot import Crl, Demand, Trust


def identity(registry: Registry, of: Document) -> str | None:
    """The SPIFFE id of a Service or Gateway."""
    if registry.trust is None:
        return None
    return spiffe_id(registry.trust.domain, of.metadata.namespace, of.metadata.name)


def trust(registry: Registry) -> Trust:
    """The roots that certificates must lead to, and the lists of those that were revoked."""
    told = registry.trust
    if told is None:
        return Trust()
    crls = tuple(Crl(issuer=issuer, crl=crl) for issuer, crl in told.crls)
    return Trust(domains={told.domain: told.roots}, crls={told.domain: crls} if crls else {})


def demand(registry: Registry, service: Service) -> Demand:
    """What is asked of those who call a service."""
    return "off" if registry.trust is None else service.spec.mtls or registry.mesh.spec.mtls


def proven(registry: Registry, service: Service) -> str | None:
    """The SPIFFE id that the endpoints of a service must prove; None: they are spoken to in the clear.

    While both are allowed, only services whose every instance has a proxy are sure to understand.
    """
    asked = demand(registry, service)
    proxied = [endpoint.sidecar is not None for endpoint in service.spec.endpoints]
    encrypts = any(proxied) if asked == "strict" else asked == "permissive" and all(proxied)
    return identity(registry, service) if encrypts and service.spec.egress is None else None
