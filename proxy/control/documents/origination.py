"""`spec.tls` of a Service: TLS that the proxies begin, to a service outside the mesh."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Self

from pydantic import Field, model_validator

from proxy.control.documents.base import Spec
from proxy.snapshot import File, TlsName


class OriginationSpec(Spec):
    """What is asked for, believed and shown; PEM files are on the machine of the proxy that calls."""

    server_name: TlsName | None = Field(default=None, alias="serverName", description="That its certificate is for.")
    roots: File | None = Field(default=None, description="Without it, those that the machine trusts.")
    certificate: File | None = None
    key: File | None = None

    @model_validator(mode="after")
    def _shows_a_pair(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key: go together")
        return self


def one_host(addresses: Iterable[str]) -> str | None:
    """The name that all addresses (`host:port`) have; None where they are several, or no names."""
    hosts = {address.rpartition(":")[0].strip("[]").lower() for address in addresses}
    if len(hosts) != 1:
        return None
    (host,) = hosts
    try:
        ip_address(host)
    except ValueError:
        return host
    return None
