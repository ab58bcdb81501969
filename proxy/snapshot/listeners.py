"""Where a proxy listens, and where the application does."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from proxy.snapshot.gate import Gate
from proxy.snapshot.parts import HostPort, Name, Part, Place, Protocol
from proxy.snapshot.trust import Demand


class Inbound(Part):
    """Where the mesh reaches the application, and where the application itself listens."""

    listen: HostPort
    app: Place
    protocol: Protocol = "http1"
    connect_timeout_ms: int = Field(default=1_000, gt=0)
    timeout_ms: int = Field(default=60_000, gt=0, description="Longest wait for the first response byte.")
    transparent: bool = Field(default=False, description="Connections may have been redirected to `listen`.")
    gate: Gate = Gate()
    tls: Demand = "off"


class Listener(Part):
    """An address that means one service; without one, the service whose TLS server name a client asks for."""

    listen: HostPort
    service: Name | None = None


class Outbound(Part):
    """Where the application sends its calls: an HTTP proxy address that routes by authority, and others beside it."""

    listen: HostPort
    listeners: tuple[Listener, ...] = ()
    connect: tuple[Name, ...] = Field(default=(), description="Services that CONNECT may name.")
    transparent: bool = Field(default=False, description="Connections may have been redirected to `listen`.")
    outside: Literal["allow", "deny"] = Field(default="allow", description="Redirected ones to no service.")
