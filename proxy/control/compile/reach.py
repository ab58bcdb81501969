"""Which services a caller reaches: those it says it calls, and where routes lead their requests.

In: the registry, a Service that calls. Out: what its proxies have to know. A Service that does not say whom it calls
may call every other, and a change of any of them reaches its proxies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from proxy.control.documents import Service
from proxy.control.registry import Registry
from proxy.snapshot import Upstream


def reached(registry: Registry, caller: Service, made: Callable[[str, Service], Upstream]) -> tuple[Upstream, ...]:
    """The services that `caller` reaches, in the order of the registry; `made` gives one by its full name."""
    if caller.spec.calls is None:
        return tuple(made(service.full_name, caller) for service in registry.services)
    found: dict[str, Upstream] = {}
    wanted = [*caller.spec.calls, *registry.mesh.spec.outbound.connect, *_listened_for(caller)]
    while wanted:
        name = wanted.pop()
        if name not in found:
            found[name] = made(name, caller)
            wanted.extend(_led_to(found[name]))
    return tuple(found[service.full_name] for service in registry.services if service.full_name in found)


def _listened_for(caller: Service) -> Iterator[str]:
    """Services that a listener of its sidecars means."""
    sidecars = (endpoint.sidecar for endpoint in caller.spec.endpoints if endpoint.sidecar)
    yield from (listener.service for sidecar in sidecars for listener in sidecar.listeners if listener.service)


def _led_to(service: Upstream) -> Iterator[str]:
    for route in service.routes or ():
        yield from (backend.service for backend in route.backends)
        yield from (mirror.to.service for mirror in route.mirrors)
