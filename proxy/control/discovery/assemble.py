"""Makes one registry of what is written and what was discovered.

In: the written configuration, registrations, instances that are not well. Out: a `Registry`, and why registrations are
not in it. Pure. What is written comes first: a registration never keeps an edit of the configuration from being taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from proxy.control.addresses import listens_at, of_endpoint
from proxy.control.configuration import Configuration
from proxy.control.discovery.instance import Registration
from proxy.control.documents import Document, EndpointSpec, Gateway, Service
from proxy.control.proxies import proxies_of
from proxy.control.registry import Registry, register


@dataclass(frozen=True)
class Discovered:
    """What is known beside the written configuration."""

    registrations: tuple[Registration, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)
    key_sets: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Assembled:
    """The registry, and by instance why a registration is not in it."""

    registry: Registry
    refused: dict[str, str] = field(default_factory=dict)


def assemble(written: Configuration, discovered: Discovered) -> Assembled:
    """Raises ConfigRefused for mistakes in what is written."""
    joining, refused = _admitted(written, discovered.registrations)
    documents = tuple(_joined(document, joining) for document in written.documents)
    left_out = _not_ready(documents) | discovered.left_out
    registry = register(Configuration(written.mesh, documents), left_out=left_out, key_sets=discovered.key_sets)
    return Assembled(registry, refused)


def refusals(written: Configuration, registrations: Iterable[Registration]) -> dict[str, str]:
    """Why registrations could not be in force beside what is written and those before them, by instance."""
    return _admitted(written, registrations)[1]


def _admitted(
    written: Configuration, registrations: Iterable[Registration]
) -> tuple[dict[str, list[EndpointSpec]], dict[str, str]]:
    """Endpoints by the service that they join, and who may not join, with the reason."""
    claims = _Claims(written)
    joining: dict[str, list[EndpointSpec]] = {}
    refused: dict[str, str] = {}
    for registration in registrations:
        if why := claims.refusal(registration):
            refused[registration.instance] = why
            continue
        claims.take(registration.endpoint)
        joining.setdefault(registration.service, []).append(registration.endpoint)
    return joining, refused


def _not_ready(documents: Iterable[Document]) -> dict[str, str]:
    """Instances that are not to be called yet."""
    endpoints = (each for one in documents if isinstance(one, Service) for each in one.spec.endpoints)
    return {each.instance: "not ready" for each in endpoints if not each.ready}


def _joined(document: Document, joining: dict[str, list[EndpointSpec]]) -> Document:
    """A Service with the endpoints that joined it."""
    if not isinstance(document, Service) or document.full_name not in joining:
        return document
    endpoints = (*document.spec.endpoints, *joining[document.full_name])
    return document.model_copy(update={"spec": document.spec.model_copy(update={"endpoints": endpoints})})


class _Claims:
    """Names and addresses that are given already."""

    def __init__(self, written: Configuration) -> None:
        self._services = {d.full_name: d for d in written.documents if isinstance(d, Service)}
        gateways = [d for d in written.documents if isinstance(d, Gateway)]
        proxies = proxies_of(tuple(self._services.values()), gateways)
        self._names = {proxy.name for proxy in proxies}
        self._apps: set[str] = set()
        self._listeners = {address for gateway in gateways for address in gateway.listens_at}
        for service in self._services.values():
            for endpoint in service.spec.endpoints:
                self.take(endpoint)
        for proxy in proxies:
            if proxy.admin:
                first = proxy.instances[0][1] if proxy.instances else None
                self._listeners.add(of_endpoint(first, proxy.admin) if first else proxy.admin)

    def take(self, endpoint: EndpointSpec) -> None:
        self._names.add(endpoint.instance)
        self._apps.add(of_endpoint(endpoint, endpoint.app))
        self._listeners.update(address for address, _ in listens_at(endpoint))

    def refusal(self, registration: Registration) -> str | None:
        """Why it cannot join, in the operator's words."""
        return next(self._refusals(registration), None)

    def _refusals(self, registration: Registration) -> Iterator[str]:
        name, endpoint = registration.instance, registration.endpoint
        service = self._services.get(registration.service)
        if service is None:
            known = ", ".join(self._services) or "none"
            yield f"no Service {registration.service} is in the configuration; known: {known}"
        elif service.spec.egress and registration.sidecar:
            yield f"Service {registration.service} is outside the mesh (egress); its instances have no sidecar"
        if name in self._names:
            yield f"{name} is the name of another instance, a node or a Gateway of the configuration"
        mine = [address for address, _ in listens_at(endpoint)]
        app = of_endpoint(endpoint, endpoint.app)
        if taken := next((a for a in mine if a in self._apps or a in self._listeners), None):
            yield f"address {taken} belongs to something else already"
        if len(set(mine)) < len(mine) or app in mine:
            yield "the addresses of app and sidecar have to differ"
        if app in self._listeners:
            yield f"address {app} belongs to a proxy already"
