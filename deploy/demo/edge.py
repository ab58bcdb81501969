"""The door of the shop: the gateway that customers come through, from outside the mesh and in the clear.

In: ports. Out: the Gateway and its route as the control plane reads them.
"""

from __future__ import annotations

from typing import Any

from deploy.demo.topology import ENTRY
from deploy.local.ports import LOOPBACK, Ports, Wanted
from proxy.control.proxies import Proxy

GATEWAY_API = "gateway.networking.k8s.io/v1"
GATEWAY = "edge"
DOOR, DOOR_ADMIN = 18_603, 18_604


def proxy(ports: Ports) -> Proxy:
    """The process that the gateway is."""
    return Proxy(GATEWAY, _address(DOOR_ADMIN, ports), instances=())


def door(ports: Ports) -> str:
    """Where customers come in."""
    return f"http://{_address(DOOR, ports)}"


def documents(ports: Ports) -> list[dict[str, Any]]:
    """One listener, and the way from there to the first service of the shop."""
    listener = {"name": "customers", "port": DOOR + ports.offset}
    return [
        {
            "apiVersion": GATEWAY_API,
            "kind": "Gateway",
            "metadata": {"name": GATEWAY},
            "spec": {"listeners": [listener], "admin": _address(DOOR_ADMIN, ports)},
        },
        {
            "apiVersion": GATEWAY_API,
            "kind": "HTTPRoute",
            "metadata": {"name": "customers"},
            "spec": {
                "parentRefs": [{"kind": "Gateway", "name": GATEWAY}],
                "rules": [{"backendRefs": [{"name": ENTRY}]}],
            },
        },
    ]


def wanted(ports: Ports) -> list[Wanted]:
    """What the gateway listens on."""
    return [Wanted(_address(port, ports), f"the gateway {GATEWAY}") for port in (DOOR, DOOR_ADMIN)]


def _address(port: int, ports: Ports) -> str:
    return f"{LOOPBACK}:{port + ports.offset}"
