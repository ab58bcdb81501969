"""Compiles the registry into what one proxy must do.

In: registry, name of a proxy, epoch. Out: a `Snapshot`. Pure: the same input gives the same bytes.
"""

from __future__ import annotations

from proxy.control.compile.limits import limits
from proxy.control.compile.telemetry import telemetry
from proxy.control.compile.workloads import workload
from proxy.control.registry import Registry
from proxy.snapshot import Snapshot


def compile_snapshot(registry: Registry, proxy: str, epoch: int) -> Snapshot:
    """Everything the proxy of that name must do as of `epoch`; raises UnknownProxy."""
    instances = registry.proxy(proxy).instances
    return Snapshot(
        epoch=epoch,
        workloads=tuple(workload(registry, service, endpoint) for service, endpoint in instances),
        telemetry=telemetry(registry.telemetry(instances[0][0])),
        limits=limits(registry.mesh.spec.limits),
    )
