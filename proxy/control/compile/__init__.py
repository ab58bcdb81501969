"""Compiles the registry into what one proxy must do.

In: registry, name of a proxy, epoch. Out: a `Snapshot`. Pure: the same input gives the same bytes.
"""

from __future__ import annotations

from proxy.control.compile.encryption import trust
from proxy.control.compile.gateway import gateway_workload
from proxy.control.compile.limits import limits
from proxy.control.compile.telemetry import telemetry
from proxy.control.compile.workloads import workload
from proxy.control.registry import Registry
from proxy.snapshot import Snapshot


def compile_snapshot(registry: Registry, proxy: str, epoch: int) -> Snapshot:
    """Everything the proxy of that name must do as of `epoch`; raises UnknownProxy."""
    found = registry.proxy(proxy)
    if found.gateway is not None:
        return Snapshot(
            epoch=epoch,
            workloads=(gateway_workload(registry, found.gateway),),
            telemetry=telemetry(registry.telemetry(found.gateway)),
            limits=limits(found.gateway.spec.limits or registry.mesh.spec.limits),
            trust=trust(registry),
        )
    return Snapshot(
        epoch=epoch,
        workloads=tuple(workload(registry, service, endpoint) for service, endpoint in found.instances),
        telemetry=telemetry(registry.telemetry(found.instances[0][0])),
        limits=limits(registry.mesh.spec.limits),
        trust=trust(registry),
    )
