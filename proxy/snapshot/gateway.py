"""Where requests come into the mesh, or leave it, at a proxy without an application; and which way they go."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from proxy.snapshot.gate import Gate
from proxy.snapshot.parts import HostPort, Part, ServerName
from proxy.snapshot.routes import Route


class VirtualHost(Part):
    """What becomes of requests for a host, for every host of a domain (`*.example.com`), or (None) for any other."""

    host: ServerName | None = None
    routes: tuple[Route, ...] = Field(default=(), description="Tried in this order.")


class DoorCertificate(Part):
    """PEM files of what clients are shown who ask for a host, for any host of a domain, or (None) for any other."""

    host: ServerName | None = None
    certificate: str = Field(pattern="^/")
    key: str = Field(pattern="^/")


class Door(Part):
    """An address, and the hosts that requests may ask for there; the most specific one counts."""

    listen: HostPort
    hosts: tuple[VirtualHost, ...] = ()
    certificates: tuple[DoorCertificate, ...] = Field(default=(), description="Given some, clients have to encrypt.")


class Gateway(Part):
    """A way to services that leads through routes only."""

    doors: tuple[Door, ...] = Field(min_length=1)
    callers: Literal["outside", "mesh"] = Field(default="outside", description="Whose word on who asks counts, or not.")
    trace: Literal["restart", "continue"] = Field(default="restart", description="What came with a request.")
    trusted_hops: int = Field(default=0, ge=0, le=32, description="Proxies before it whose word counts.")
    gate: Gate = Gate()
