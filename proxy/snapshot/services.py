"""The services a proxy may call, and their instances."""

from __future__ import annotations

from pydantic import Field

from proxy.snapshot.faults import Fault
from proxy.snapshot.origination import Origination
from proxy.snapshot.parts import HostPort, IpPort, Label, Name, Part, Protocol, ServerName
from proxy.snapshot.policies import Policy
from proxy.snapshot.routes import Route
from proxy.snapshot.trust import SpiffeId


class Endpoint(Part):
    """One instance of a service, as other proxies reach it."""

    address: HostPort
    version: Label
    instance: Name
    zone: Label | None = None


class Upstream(Part):
    """A service this proxy may call."""

    name: Name
    authorities: tuple[str, ...] = Field(min_length=1, description="Lower-case host or host:port forms that mean it.")
    protocol: Protocol = "http1"
    connect_timeout_ms: int = Field(default=1_000, gt=0)
    timeout_ms: int = Field(default=15_000, gt=0, description="Longest wait for the first response byte.")
    connect_attempts: int = Field(default=3, ge=1, le=10, description="Endpoints tried while nothing was sent.")
    endpoints: tuple[Endpoint, ...] = ()
    policy: Policy = Policy()
    server_names: tuple[ServerName, ...] = Field(default=(), description="TLS server names that mean it.")
    addresses: tuple[IpPort, ...] = Field(default=(), description="Addresses that mean any instance of it.")
    routes: tuple[Route, ...] | None = Field(
        default=None, description="Tried in this order; None: every request goes to the endpoints."
    )
    outside: bool = Field(default=False, description="It is not of the mesh, and told nothing of it.")
    faults: tuple[Fault, ...] = ()
    identity: SpiffeId | None = Field(default=None, description="That its endpoints prove; None: no encryption.")
    tls: Origination | None = Field(default=None, description="For a service outside that takes TLS.")
