"""Holds the Services and Gateways that documents name against those that are there.

In: documents, services, gateways. Out: one line for each mistake, its place first, with a hint.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from proxy.control.documents import (
    AuthorizationPolicy,
    Document,
    FaultInjection,
    Gateway,
    Mesh,
    RequestAuthentication,
    RouteDocument,
    Service,
    Telemetry,
    TrafficPolicy,
)
from proxy.control.documents.route_parts import ParentRef, Reference

_TARGETING = (TrafficPolicy, FaultInjection, Telemetry, AuthorizationPolicy, RequestAuthentication)


def strangers(documents: Iterable[Document], services: Iterable[Service], gateways: Iterable[Gateway]) -> Iterator[str]:
    """Documents that name a Service or Gateway that is not there; attachments.py sees to the Gateways of routes."""
    known = {service.full_name: service for service in services}
    entries = {gateway.full_name for gateway in gateways}
    for document in documents:
        for path, ref in _references(document):
            name, where = ref.full_name(document), f"{document.kind} {document.full_name}: {path}"
            if ref.kind == "Gateway":
                if name not in entries and not isinstance(document, RouteDocument):
                    yield missing(where, name, entries, "Gateway")
            elif name not in known:
                yield missing(where, name, known)
            elif ref.port not in (None, known[name].spec.port):
                yield f"{where}.port: Service {name} has port {known[name].spec.port} (got {ref.port})"


def unheard_of(
    policies: Iterable[AuthorizationPolicy], services: Iterable[Service], gateways: Iterable[Gateway]
) -> Iterator[str]:
    """Callers that AuthorizationPolicies name, and that are not there: nobody will ever be one of them."""
    known = {one.full_name for one in (*services, *gateways)}
    for policy in policies:
        for number, rule in enumerate(policy.spec.rules):
            for place, caller in enumerate(rule.callers or ()):
                if caller.name is None or "*" in caller.name or "*" in (caller.namespace or ""):
                    continue
                namespace = caller.namespace or policy.metadata.namespace
                name = caller.name if namespace == "default" else f"{caller.name}.{namespace}"
                if name not in known:
                    where = f"AuthorizationPolicy {policy.full_name}: spec.rules[{number}].callers[{place}]"
                    yield missing(where, name, known, "Service or Gateway")


def unknown(mesh: Mesh, services: Iterable[Service]) -> Iterator[str]:
    """Services that the Mesh or a sidecar names by their full name, and that are not there."""
    named = [(f"Mesh: spec.outbound.connect[{n}]", name) for n, name in enumerate(mesh.spec.outbound.connect)]
    known = {service.full_name: service for service in services}
    for service in known.values():
        calls = service.spec.calls or ()
        named += [(f"Service {service.full_name}: spec.calls[{n}]", name) for n, name in enumerate(calls)]
        for place, endpoint in enumerate(service.spec.endpoints):
            at = f"Service {service.full_name}: spec.endpoints[{place}].sidecar.listeners"
            listeners = endpoint.sidecar.listeners if endpoint.sidecar else ()
            named += [(f"{at}[{n}].service", one.service) for n, one in enumerate(listeners) if one.service]
    for where, name in named:
        if name not in known:
            yield missing(where, name, known)


def unprovable(mesh: Mesh, services: Iterable[Service]) -> Iterator[str]:
    """Services that ask their callers for certificates which nobody issues."""
    for service in services:
        if mesh.spec.authority is None and service.spec.mtls not in (None, "off"):
            where = f"Service {service.full_name}: spec.mtls"
            yield f"{where}: nobody has a certificate without spec.authority of the Mesh; add it, {{}} for all defaults"


def missing(where: str, name: str, known: Iterable[str], kind: str = "Service") -> str:
    """What is wrong where a document names what is not there, with a hint."""
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(known)) or 'none'}"
    return f"{where}: there is no {kind} {name}; {hint}"


def mixed_kinds(routes: Iterable[RouteDocument]) -> Iterator[str]:
    """Services, and hosts of Gateways, that HTTPRoutes and GRPCRoutes both want: the two must not be merged.

    GRPCRouteRule.matches and GRPCRoute.spec.hostnames in the reference of the Gateway API.
    """
    first: dict[tuple[str, ...], RouteDocument] = {}
    for document in routes:
        for number, ref in enumerate(document.spec.parent_refs):
            parent = f"{ref.kind} {ref.full_name(document)}"
            for claim in _claims(document, ref):
                other = first.setdefault((parent, *claim), document)
                if other.kind != document.kind:
                    taken = f"{other.kind} {other.full_name} already routes {parent}"
                    yield (
                        f"{document.kind} {document.full_name}: spec.parentRefs[{number}]: {taken};"
                        " all routes of a Service, or of a host of a Gateway, must be of one kind"
                    )
                    break


def _claims(document: RouteDocument, ref: ParentRef) -> Iterator[tuple[str, ...]]:
    """What a route wants for itself: the callers of its namespace, or hosts at a listener."""
    if ref.kind == "Service":
        yield (document.metadata.namespace,)
        return
    for host in document.spec.hostnames or ("any host",):
        yield (ref.section_name or "any listener", host)


def _references(document: Document) -> Iterator[tuple[str, Reference]]:
    """Every Service or Gateway that a document names, with its place in it."""
    if (
        isinstance(document, TrafficPolicy | FaultInjection | Telemetry | AuthorizationPolicy)
        and document.spec.target_ref
    ):
        yield "spec.targetRef", document.spec.target_ref
    if isinstance(document, FaultInjection):
        for number, fault in enumerate(document.spec.rules):
            for place, caller in enumerate(fault.callers or ()):
                yield f"spec.rules[{number}].callers[{place}]", caller
    if not isinstance(document, RouteDocument):
        return
    for number, parent in enumerate(document.spec.parent_refs):
        yield f"spec.parentRefs[{number}]", parent
    for number, rule in enumerate(document.spec.rules):
        for place, backend in enumerate(rule.backend_refs):
            yield f"spec.rules[{number}].backendRefs[{place}]", backend
        for place, one in enumerate(rule.filters):
            if one.request_mirror is not None:
                yield f"spec.rules[{number}].filters[{place}].requestMirror.backendRef", one.request_mirror.backend_ref
