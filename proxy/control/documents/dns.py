"""`spec.dns` of the Mesh: which names the DNS door knows, and what it answers."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, StringConstraints, field_validator

from proxy.control.documents.base import Spec
from proxy.control.documents.spelling import Milliseconds
from proxy.snapshot import IpPort

_LEAST_ADDRESSES = 256


def _network(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("expected a network such as 240.240.0.0/16 or fd00:240::/64")
    try:
        network = ip_network(value)
    except ValueError as error:
        raise ValueError(f"{error}; expected a network such as 240.240.0.0/16 or fd00:240::/64") from None
    if network.num_addresses < _LEAST_ADDRESSES:
        raise ValueError(f"expected a network of at least {_LEAST_ADDRESSES} addresses, such as 240.240.0.0/16")
    if network.is_loopback:
        raise ValueError("connections to loopback are not redirected; choose another network, such as 240.240.0.0/16")
    return network


Network = Annotated[
    IPv4Network | IPv6Network, BeforeValidator(_network, json_schema_input_type=str), PlainSerializer(str)
]


class DnsSpec(Spec):
    """Names under `suffix` are the mesh's own: what is not in it does not exist."""

    suffix: Annotated[
        str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$")
    ] = "mesh"
    ttl: Milliseconds = 5_000
    upstreams: tuple[IpPort, ...] | None = Field(default=None, description="None: those of /etc/resolv.conf.")
    virtual: Network | None = Field(default=None, description="Where services without addresses get one from.")

    def resolvers(self, before: tuple[str, ...]) -> tuple[str, ...]:
        """Who is asked about names of others; `before` are those of this machine."""
        return before if self.upstreams is None else self.upstreams

    @field_validator("suffix")
    @classmethod
    def _fits(cls, suffix: str) -> str:
        if len(suffix) > 63:
            raise ValueError("expected at most 63 characters")
        return suffix

    @field_validator("ttl")
    @classmethod
    def _is_seconds(cls, ttl: int) -> int:
        if ttl % 1_000:
            raise ValueError("expected whole seconds, which is what DNS counts in")
        return ttl
