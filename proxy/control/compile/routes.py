"""The routes of a service in the order in which its requests try them.

In: HTTPRoutes and GRPCRoutes. Out: one snapshot route a match, most specific first: the precedence that the Gateway API
gives the matches of all routes of a Service (HTTPRouteRule.matches and GRPCRouteRule.matches in its reference).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from proxy.control.documents import GrpcRoute, HttpRoute, Service
from proxy.control.documents.grpc_route import GrpcMatch
from proxy.control.documents.http_route import HttpMatch
from proxy.control.documents.route_parts import BackendRef, Filter, HeaderModifier, PathModifier, Rule
from proxy.control.documents.route_parts import ValueMatch as ValueMatchSpec
from proxy.control.registry import Registry
from proxy.snapshot.routes import (
    Answer,
    Backend,
    HeaderEdit,
    Mirror,
    PathEdit,
    PathMatch,
    Redirect,
    Rewrite,
    Route,
    Sticky,
    ValueMatch,
)

_PATH_RANK = {"exact": 0, "regex": 1, "prefix": 2}


@dataclass(frozen=True)
class _Placed:
    """A route, and where its document and rule put it among equally specific ones."""

    route: Route
    order: tuple[str, str, int, int]


def routes(registry: Registry, service: Service) -> tuple[Route, ...] | None:
    """The routes of a service, the one to try first first; None when no document routes it."""
    placed = [*_http(registry, service), *_grpc(registry, service)]
    if not placed:
        return None
    return tuple(one.route for one in sorted(placed, key=_precedence))


def _precedence(one: _Placed) -> tuple[Any, ...]:
    """Exact path, expression, longest prefix; then method, number of headers, of parameters, document, rule."""
    route = one.route
    rank = _PATH_RANK[route.path.kind] if route.path else 3
    length = len(route.path.value) if route.path else 0
    return rank, -length, route.method is None, -len(route.headers), -len(route.query), one.order


def _http(registry: Registry, service: Service) -> Iterator[_Placed]:
    for document in registry.of(HttpRoute):
        if not _is_parent(document, service):
            continue
        for number, rule in enumerate(document.spec.rules):
            for place, match in enumerate(rule.matches):
                path = http_path(match)
                made = _route(document, number, rule, path, match.headers, match.query_params, match.method)
                yield _Placed(made, (*_title(document), number, place))


def _grpc(registry: Registry, service: Service) -> Iterator[_Placed]:
    for document in registry.of(GrpcRoute):
        if not _is_parent(document, service):
            continue
        for number, rule in enumerate(document.spec.rules):
            for place, match in enumerate(rule.matches):
                made = _route(document, number, rule, _grpc_path(match), match.headers, (), None)
                yield _Placed(made, (*_title(document), number, place))


def _title(document: HttpRoute | GrpcRoute) -> tuple[str, str]:
    return document.metadata.namespace, document.metadata.name


def _is_parent(document: HttpRoute | GrpcRoute, service: Service) -> bool:
    return any(ref.full_name(document) == service.full_name for ref in document.spec.parent_refs)


def http_path(match: HttpMatch) -> PathMatch | None:
    """What a match asks of the path; None: nothing."""
    kind, value = match.path.type, match.path.value
    if kind == "PathPrefix":
        plain = value.rstrip("/")
        return PathMatch(kind="prefix", value=plain) if plain else None
    return PathMatch(kind="exact" if kind == "Exact" else "regex", value=value)


def _grpc_path(match: GrpcMatch) -> PathMatch | None:
    """gRPC over HTTP/2 asks for `/service/method`."""
    method = match.method
    if method is None:
        return None
    if method.type == "Exact" and method.service and method.method:
        return PathMatch(kind="exact", value=f"/{method.service}/{method.method}")
    if method.type == "Exact" and method.service:
        return PathMatch(kind="prefix", value=f"/{method.service}")
    escape = re.escape if method.type == "Exact" else str
    service, name = (f"(?:{escape(part)})" if part else "[^/]+" for part in (method.service, method.method))
    return PathMatch(kind="regex", value=f"/{service}/{name}")


def _route(
    document: HttpRoute | GrpcRoute,
    number: int,
    rule: Rule,
    path: PathMatch | None,
    headers: tuple[ValueMatchSpec, ...],
    query: tuple[ValueMatchSpec, ...],
    method: str | None,
) -> Route:
    prefix = path.value if path is not None and path.kind == "prefix" else ""
    by_type: dict[str, list[Filter]] = {}
    for one in rule.filters:
        by_type.setdefault(one.type, []).append(one)
    first = {kind: found[0] for kind, found in by_type.items()}
    sticky = rule.session_persistence
    return Route(
        name=f"{document.full_name}/{rule.name or number}",
        path=path,
        method=method,
        headers=tuple(value_match(one) for one in headers),
        query=tuple(value_match(one) for one in query),
        request_headers=_edit([one.request_header_modifier for one in by_type.get("RequestHeaderModifier", ())]),
        response_headers=_edit([one.response_header_modifier for one in by_type.get("ResponseHeaderModifier", ())]),
        redirect=_redirect(first.get("RequestRedirect"), prefix),
        rewrite=_rewrite(first.get("URLRewrite"), prefix),
        answer=_answer(first.get("DirectResponse")),
        mirrors=tuple(_mirror(one, document) for one in by_type.get("RequestMirror", ())),
        backends=tuple(_backend(ref, document) for ref in rule.backend_refs if ref.weight),
        sticky=Sticky(kind="cookie" if sticky.type == "Cookie" else "header", name=sticky.session_name)
        if sticky
        else None,
        timeout_ms=rule.timeouts.request,
        attempt_timeout_ms=rule.timeouts.backend_request,
    )


def value_match(match: ValueMatchSpec) -> ValueMatch:
    """What a match asks of one header or query parameter."""
    return ValueMatch(name=match.name, kind="exact" if match.type == "Exact" else "regex", value=match.value)


def _edit(modifiers: list[HeaderModifier | None]) -> HeaderEdit | None:
    modifier = next((one for one in modifiers if one is not None), None)
    if modifier is None:
        return None
    return HeaderEdit(
        set=tuple((pair.name, pair.value) for pair in modifier.set),
        add=tuple((pair.name, pair.value) for pair in modifier.add),
        remove=modifier.remove,
    )


def _path_edit(modifier: PathModifier | None, prefix: str) -> PathEdit | None:
    if modifier is None:
        return None
    if modifier.replace_prefix_match is not None:
        return PathEdit(value=modifier.replace_prefix_match.rstrip("/"), prefix=prefix)
    return PathEdit(value=modifier.replace_full_path or "/")


def _redirect(one: Filter | None, prefix: str) -> Redirect | None:
    if one is None or one.request_redirect is None:
        return None
    told = one.request_redirect
    return Redirect(
        scheme=told.scheme,
        host=told.hostname,
        port=told.port,
        path=_path_edit(told.path, prefix),
        status=told.status_code,
    )


def _rewrite(one: Filter | None, prefix: str) -> Rewrite | None:
    if one is None or one.url_rewrite is None:
        return None
    return Rewrite(host=one.url_rewrite.hostname, path=_path_edit(one.url_rewrite.path, prefix))


def _answer(one: Filter | None) -> Answer | None:
    if one is None or one.direct_response is None:
        return None
    told = one.direct_response
    return Answer(status=told.status, body=told.body, content_type=told.content_type)


def _mirror(one: Filter, document: HttpRoute | GrpcRoute) -> Mirror:
    assert one.request_mirror is not None
    return Mirror(to=_backend(one.request_mirror.backend_ref, document), per_million=one.request_mirror.per_million)


def _backend(ref: BackendRef, document: HttpRoute | GrpcRoute) -> Backend:
    return Backend(service=ref.full_name(document), version=ref.version or "", weight=ref.weight)
