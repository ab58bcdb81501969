"""One service instance that a proxy stands beside: who it is, the way in to it, the way out of it and to whom."""

from __future__ import annotations

from pydantic import Field

from proxy.snapshot.authorization import Authorization
from proxy.snapshot.gateway import Gateway
from proxy.snapshot.listeners import Inbound, Outbound
from proxy.snapshot.node import Node
from proxy.snapshot.parts import Part
from proxy.snapshot.services import Upstream
from proxy.snapshot.trust import SpiffeId


class Workload(Part):
    """One service instance that a proxy stands beside."""

    node: Node
    identity: SpiffeId | None = Field(default=None, description="That its certificate names.")
    inbound: Inbound | None = None
    outbound: Outbound | None = None
    gateway: Gateway | None = Field(default=None, description="In the place of the two: it has no application.")
    authorization: Authorization | None = Field(default=None, description="None: anyone may ask anything.")
    services: tuple[Upstream, ...] = Field(default=(), description="What it may call, and how.")
