"""Compiles the registry into what one proxy must do.

In: registry, name of a proxy, epoch. Out: a `Snapshot`. Pure: the same input gives the same bytes.
"""

from __future__ import annotations

from proxy.control.compile.compiler import Compiler
from proxy.control.registry import Registry
from proxy.snapshot import Snapshot


def compile_snapshot(registry: Registry, proxy: str, epoch: int) -> Snapshot:
    """Everything the proxy of that name must do as of `epoch`; raises UnknownProxy."""
    return Compiler(registry).snapshot(registry.proxy(proxy), epoch)
