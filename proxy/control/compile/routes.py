"""The routes of a service in the order in which its requests try them.

In: HTTPRoutes and GRPCRoutes. Out: one snapshot route a match, most specific first: the precedence that the Gateway API
gives the matches of all routes of a Service (HTTPRouteRule.matches and GRPCRouteRule.matches in its reference).
"""

from __future__ import annotations

from collections.abc import Iterator

from proxy.control.compile.matches import grpc_path, http_path
from proxy.control.compile.rules import route
from proxy.control.documents import GrpcRoute, HttpRoute, RouteDocument, Service
from proxy.control.documents.grpc_route import GrpcMatch
from proxy.control.registry import Registry
from proxy.snapshot.routes import Route

_PATH_RANK = {"exact": 0, "regex": 1, "prefix": 2}

Precedence = tuple[int, ...]
"""Sorts before that of a less specific match of the same kind of route."""
Place = tuple[str, int, int]
"""Document, rule and match: what decides between equally specific ones."""


def routes(registry: Registry, service: Service, near: str) -> tuple[Route, ...] | None:
    """The routes of a service for callers of namespace `near`, the first to try first; None when nothing routes it."""
    documents = _in_force(registry, service, near)
    if not documents:
        return None
    found = [one for document in documents for one in matches(document)]
    return tuple(made for _, _, made in sorted(found, key=lambda one: one[:2]))


def _in_force(registry: Registry, service: Service, near: str) -> list[RouteDocument]:
    """Those that callers wrote in their own namespace, or else those beside the service (GEP-1294, GEP-1324)."""
    parents = [document for document in registry.of(RouteDocument) if service.full_name in document.parents]
    consumers = [document for document in parents if document.metadata.namespace == near]
    return consumers or [one for one in parents if one.metadata.namespace == service.metadata.namespace]


def matches(document: RouteDocument) -> Iterator[tuple[Precedence, Place, Route]]:
    """Each match of a document with what decides when it is tried."""
    title = f"{document.metadata.namespace}/{document.metadata.name}"
    if isinstance(document, HttpRoute):
        for number, rule in enumerate(document.spec.rules):
            for place, match in enumerate(rule.matches):
                made = route(document, number, rule, http_path(match), match.headers, match.query_params, match.method)
                yield _http_precedence(made), (title, number, place), made
    if isinstance(document, GrpcRoute):
        for number, calls in enumerate(document.spec.rules):
            for place, call in enumerate(calls.matches):
                made = route(document, number, calls, grpc_path(call), call.headers)
                yield _grpc_precedence(call, made), (title, number, place), made


def _http_precedence(route: Route) -> Precedence:
    """Exact path, expression, longest prefix; then a method, most headers, most parameters."""
    rank = _PATH_RANK[route.path.kind] if route.path else 3
    length = len(route.path.value) if route.path else 0
    return rank, -length, route.method is None, -len(route.headers), -len(route.query)


def _grpc_precedence(match: GrpcMatch, route: Route) -> Precedence:
    """Longest service, longest method, most headers."""
    call = match.method
    service, method = (call.service or "", call.method or "") if call else ("", "")
    return -len(service), -len(method), -len(route.headers)
