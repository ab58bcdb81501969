"""What each name of the mesh means: the registry, as DNS asks for it.

In: a registry. Out: addresses and places by name. Pure.

A service is its name, with or without namespace, and both under the suffix. Its addresses are those that mean any
instance of it (`spec.addresses`, or a virtual one), so that connections to them are redirected and routed; without such
they are the addresses of its well instances. Each instance is `<instance>.<service>` under the suffix.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from proxy.control.documents import Service
from proxy.control.registry import Registry

_LONGEST_LABEL, _LONGEST_NAME = 63, 253
Address = IPv4Address | IPv6Address


@dataclass(frozen=True)
class Place:
    """A name and a port, as SRV answers have them."""

    name: str
    port: int


@dataclass(frozen=True)
class Entry:
    """What one name means."""

    addresses: tuple[Address, ...]
    places: tuple[Place, ...] = ()


@dataclass(frozen=True)
class Directory:
    """Every name of one registry, in lower case and without the last dot."""

    suffix: str
    ttl_s: int
    entries: dict[str, Entry]

    def find(self, name: str) -> Entry | None:
        """What a name means, also one with a service and protocol before it (`_http._tcp.cart`, RFC 2782)."""
        first, _, rest = name.partition(".")
        if first.startswith("_") and rest.startswith(("_tcp.", "_udp.")):
            name = rest.partition(".")[2]
        return self.entries.get(name)

    def owns(self, name: str) -> bool:
        """Whether a name without entry does not exist, for nobody else can know it."""
        return name == self.suffix or name.endswith(f".{self.suffix}")


def directory(registry: Registry) -> Directory:
    """The names of every service and instance."""
    spec = registry.mesh.spec.dns
    entries: dict[str, Entry] = {spec.suffix: Entry(())}
    for service in registry.services:
        own = tuple(dict.fromkeys(_ip(address) for address in service.spec.addresses))
        if service.full_name in registry.virtual:
            own = (registry.virtual[service.full_name],)
        for name, entry in _entries(registry, service, spec.suffix, own):
            entries.setdefault(name, entry)
    return Directory(spec.suffix, spec.ttl // 1_000, entries)


def _entries(
    registry: Registry, service: Service, suffix: str, own: tuple[Address, ...]
) -> Iterator[tuple[str, Entry]]:
    """The names of a service, the longest of which stands for it in answers, then those of its instances."""
    longest, *others = _names(service, suffix)
    instances = {
        f"{endpoint.instance}.{longest}": endpoint.reachable_at
        for endpoint in service.spec.endpoints
        if endpoint.instance not in registry.left_out
        and _is_ip(endpoint.reachable_at)
        and _fits(f"{endpoint.instance}.{longest}")
    }
    theirs = tuple(dict.fromkeys(_ip(address) for address in instances.values()))
    places = tuple(Place(name, _port(address)) for name, address in instances.items())
    entry = Entry(own, (Place(longest, service.spec.port),)) if own else Entry(theirs, places)
    if not _fits(longest):
        return
    for name in (longest, *others):
        yield name, entry
    for name, address in instances.items():
        yield name, Entry((_ip(address),), (Place(name, _port(address)),))


def _names(service: Service, suffix: str) -> Iterator[str]:
    name, namespace = service.metadata.name, service.metadata.namespace
    yield f"{name}.{namespace}.{suffix}"
    yield f"{name}.{namespace}"
    if namespace == "default":
        yield f"{name}.{suffix}"
        yield name


def _fits(name: str) -> bool:
    """Whether DNS can carry a name (RFC 1035, 2.3.4)."""
    return len(name) <= _LONGEST_NAME and all(0 < len(label) <= _LONGEST_LABEL for label in name.split("."))


def _host(address: str) -> str:
    return address.rpartition(":")[0].strip("[]")


def _ip(address: str) -> Address:
    return ip_address(_host(address))


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])


def _is_ip(address: str) -> bool:
    try:
        _ip(address)
    except ValueError:
        return False
    return True
