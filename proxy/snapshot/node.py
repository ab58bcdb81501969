"""Who a proxy stands beside."""

from __future__ import annotations

from proxy.snapshot.parts import Label, Name, Part


class Node(Part):
    """Who this proxy stands beside; stamped on each span it records."""

    service: Name
    version: Label
    instance: Name
    namespace: Name = "default"
    zone: Label | None = None
