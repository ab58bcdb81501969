"""Who a workload is."""

from __future__ import annotations

from proxy.snapshot.parts import Label, Name, Part


class Node(Part):
    """Who a workload is; stamped on each span recorded for it."""

    service: Name
    version: Label
    instance: Name
    namespace: Name = "default"
    zone: Label | None = None
