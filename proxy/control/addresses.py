"""Which addresses an instance and its proxy need for themselves.

In: an endpoint. Out: addresses that can be compared with those of any other: what means the machine itself (loopback,
every interface, a Unix socket) is told apart by machine where the machine is named. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from ipaddress import ip_address

from proxy.control.documents import EndpointSpec


def of_endpoint(endpoint: EndpointSpec, address: str) -> str:
    """The address as it is told apart from others."""
    return f"{address} of {endpoint.host}" if endpoint.host and _is_local(address) else address


def listens_at(endpoint: EndpointSpec) -> Iterator[tuple[str, str]]:
    """Where its proxy listens, and the field that says so; `admin` of a node is that of all its instances."""
    if endpoint.sidecar is None:
        return
    for name in ("inbound", "outbound") if endpoint.sidecar.node else ("inbound", "outbound", "admin"):
        yield of_endpoint(endpoint, getattr(endpoint.sidecar, name)), f"{endpoint.instance}.sidecar.{name}"
    for place, listener in enumerate(endpoint.sidecar.listeners):
        yield of_endpoint(endpoint, listener.listen), f"{endpoint.instance}.sidecar.listeners[{place}]"


def asked_at(endpoint: EndpointSpec, machine: str) -> str:
    """Where one on `machine` asks how it is: the application itself, or by way of its proxy from another machine."""
    elsewhere = endpoint.host is not None and endpoint.host != machine
    return endpoint.reachable_at if elsewhere and _is_local(endpoint.app) else endpoint.app


@lru_cache(maxsize=65_536)
def _is_local(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    if address.startswith("unix:") or host == "localhost":
        return True
    try:
        read = ip_address(host)
    except ValueError:
        return False
    return read.is_loopback or read.is_unspecified
