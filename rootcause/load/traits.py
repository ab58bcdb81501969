"""What is known of a single request beside how it went: where it was served, who asked for it, what its spans say.

In: nothing; these are plain values. Out: traits, alike when requests share them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

NODE_KEYS = ("k8s.node.name", "host.name")
"""Where a resource names the machine, best first: in Kubernetes `host.name` is the Pod's (OpenTelemetry semantic
conventions for resources)."""
ZONE_KEY = "cloud.availability_zone"
CALLER_KEY = "mesh.source.service"


class Of(IntEnum):
    """What kind of trait; of two that say the same, the first is told."""

    NODE = 0
    ZONE = 1
    CALLER = 2
    SERVED = 3
    """An attribute of a span that the application recorded of the request."""
    ENTERED = 4
    """An attribute of a span of the request from outside that this one was made for."""
    PASSED = 5
    """An attribute of the proxy's own span."""


@dataclass(frozen=True, slots=True, order=True)
class Trait:
    """`key` is the attribute that says it."""

    of: Of
    key: str
    value: str


def traits(of: Of, attributes: Mapping[str, str]) -> frozenset[Trait]:
    """All attributes of a span."""
    return frozenset(Trait(of, key, value) for key, value in attributes.items())
