"""TLS to a Service outside the mesh, as the proxies that call it begin it."""

from __future__ import annotations

from proxy.control.documents import Service
from proxy.snapshot import Origination


def origination(service: Service) -> Origination | None:
    """None where it is spoken to in the clear."""
    spec = service.spec
    if spec.tls is None or spec.tls_name is None:
        return None
    files = spec.tls
    return Origination(server_name=spec.tls_name, roots=files.roots, certificate=files.certificate, key=files.key)
