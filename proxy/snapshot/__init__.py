"""The configuration one engine accepts; the only type that control plane and sidecar share.

In: what `proxy.control.compile` decided for one proxy. Out: JSON, read by the engine with unknown keys refused
(`proxy/engine/src/snapshot` mirrors this package file by file). Never: anything a proxy does not act on.
"""

from __future__ import annotations

from pydantic import Field

from proxy.snapshot.gateway import Door, DoorCertificate, Gateway, VirtualHost
from proxy.snapshot.limits import Limits
from proxy.snapshot.listeners import Inbound, Listener, Outbound
from proxy.snapshot.node import Node
from proxy.snapshot.origination import File, Origination, TlsName
from proxy.snapshot.parts import HostPort, IpPort, Label, Name, Part, Protocol, ServerName
from proxy.snapshot.policies import Policy
from proxy.snapshot.routes import Route
from proxy.snapshot.services import Endpoint, Upstream
from proxy.snapshot.telemetry import (
    B3,
    BudgetBytes,
    Compression,
    ExportProtocol,
    Mode,
    RingBytes,
    SpoolBytes,
    Telemetry,
)
from proxy.snapshot.trust import Crl, Demand, SpiffeId, Trust, TrustDomain
from proxy.snapshot.workload import Workload

__all__ = [
    "B3", "BudgetBytes", "Compression", "Crl", "Demand", "Door", "DoorCertificate", "Endpoint", "ExportProtocol",
    "File", "Gateway", "HostPort", "Inbound", "IpPort", "Label", "Limits", "Listener", "Mode", "Name", "Node",
    "Origination", "Outbound", "Policy", "Protocol", "RingBytes", "Route", "ServerName", "Snapshot", "SpiffeId",
    "SpoolBytes", "Telemetry", "TlsName", "Trust", "TrustDomain", "Upstream", "VirtualHost", "Workload",
]  # fmt: skip


class Snapshot(Part):
    """Everything one proxy must do, as of one epoch."""

    epoch: int = Field(ge=1)
    workloads: tuple[Workload, ...] = Field(min_length=1, description="One, or all those of a host in node mode.")
    telemetry: Telemetry = Telemetry()
    limits: Limits = Limits()
    trust: Trust = Trust()
