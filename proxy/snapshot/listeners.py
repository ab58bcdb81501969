"""Where a proxy listens, and where the application does."""

from __future__ import annotations

from pydantic import Field

from proxy.snapshot.gate import Gate
from proxy.snapshot.parts import HostPort, Part, Protocol


class Inbound(Part):
    """Where the mesh reaches the application, and where the application itself listens."""

    listen: HostPort
    app: HostPort
    protocol: Protocol = "http1"
    connect_timeout_ms: int = Field(default=1_000, gt=0)
    timeout_ms: int = Field(default=60_000, gt=0, description="Longest wait for the first response byte.")
    gate: Gate = Gate()


class Outbound(Part):
    """Where the application sends its calls: an HTTP proxy address that routes by authority."""

    listen: HostPort
