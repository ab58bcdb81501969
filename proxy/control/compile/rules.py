"""One match of a rule as the snapshot has it: what it takes, and what becomes of that.

In: a rule of an HTTPRoute or GRPCRoute. Out: a snapshot route.
"""

from __future__ import annotations

from collections.abc import Iterable

from proxy.control.compile.matches import values
from proxy.control.documents import RouteDocument
from proxy.control.documents.filters import Filter, HeaderModifier, PathModifier
from proxy.control.documents.http_route import HttpRetry, HttpRule
from proxy.control.documents.route import Rule, SessionPersistence
from proxy.control.documents.route_parts import BackendRef
from proxy.control.documents.route_parts import ValueMatch as ValueMatchSpec
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
    RouteRetry,
    Sticky,
)


def route(
    document: RouteDocument,
    number: int,
    rule: Rule,
    path: PathMatch | None,
    headers: Iterable[ValueMatchSpec],
    query: Iterable[ValueMatchSpec] = (),
    method: str | None = None,
) -> Route:
    """What one match of a rule means; `number` is the rule's place in its document."""
    prefix = path.value if path is not None and path.kind == "prefix" else ""
    by_type: dict[str, list[Filter]] = {}
    for one in rule.filters:
        by_type.setdefault(one.type, []).append(one)
    first = {kind: found[0] for kind, found in by_type.items()}
    return Route(
        name=f"{document.full_name}/{rule.name or number}",
        path=path,
        method=method,
        headers=values(headers),
        query=values(query),
        request_headers=_edit([one.request_header_modifier for one in by_type.get("RequestHeaderModifier", ())]),
        response_headers=_edit([one.response_header_modifier for one in by_type.get("ResponseHeaderModifier", ())]),
        redirect=_redirect(first.get("RequestRedirect"), prefix),
        rewrite=_rewrite(first.get("URLRewrite"), prefix),
        answer=_answer(first.get("DirectResponse")),
        mirrors=tuple(_mirror(one, document) for one in by_type.get("RequestMirror", ())),
        backends=tuple(_backend(ref, document) for ref in rule.backend_refs if ref.weight),
        sticky=_sticky(rule.session_persistence),
        timeout_ms=rule.timeouts.request,
        attempt_timeout_ms=rule.timeouts.backend_request,
        retry=_retry(rule.retry) if isinstance(rule, HttpRule) and rule.retry else None,
    )


def _retry(told: HttpRetry) -> RouteRetry:
    return RouteRetry(
        attempts=None if told.attempts is None else told.attempts + 1, statuses=told.codes, pause_ms=told.backoff
    )


def _sticky(session: SessionPersistence | None) -> Sticky | None:
    if session is None:
        return None
    return Sticky(
        kind="cookie" if session.type == "Cookie" else "header",
        name=session.session_name,
        given=session.gives_tokens,
        max_age_s=session.max_age_s,
    )


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


def _mirror(one: Filter, document: RouteDocument) -> Mirror:
    assert one.request_mirror is not None
    return Mirror(to=_backend(one.request_mirror.backend_ref, document), per_million=one.request_mirror.per_million)


def _backend(ref: BackendRef, document: RouteDocument) -> Backend:
    return Backend(service=ref.full_name(document), version=ref.version or "", weight=ref.weight)
