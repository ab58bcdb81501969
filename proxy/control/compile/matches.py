"""What a match asks of a request, as the snapshot has it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from proxy.control.documents.grpc_route import GrpcMatch
from proxy.control.documents.http_route import HttpMatch
from proxy.control.documents.route_parts import ValueMatch as ValueMatchSpec
from proxy.snapshot.routes import PathMatch, ValueMatch


def http_path(match: HttpMatch) -> PathMatch | None:
    """What a match asks of the path; None: nothing."""
    kind, value = match.path.type, match.path.value
    if kind == "PathPrefix":
        plain = value.rstrip("/")
        return PathMatch(kind="prefix", value=plain) if plain else None
    return PathMatch(kind="exact" if kind == "Exact" else "regex", value=value)


def grpc_path(match: GrpcMatch) -> PathMatch | None:
    """gRPC over HTTP/2 asks for `/service/method`."""
    call = match.method
    if call is None:
        return None
    if call.type == "Exact" and call.service and call.method:
        return PathMatch(kind="exact", value=f"/{call.service}/{call.method}")
    if call.type == "Exact" and call.service:
        return PathMatch(kind="prefix", value=f"/{call.service}")
    escape = re.escape if call.type == "Exact" else str
    service, name = (f"(?:{escape(part)})" if part else "[^/]+" for part in (call.service, call.method))
    return PathMatch(kind="regex", value=f"/{service}/{name}")


def values(matches: Iterable[ValueMatchSpec]) -> tuple[ValueMatch, ...]:
    """Of several for one name the first counts (HTTPHeaderMatch.name, HTTPQueryParamMatch.name)."""
    first: dict[str, ValueMatch] = {}
    for match in matches:
        kind: Literal["exact", "regex"] = "exact" if match.type == "Exact" else "regex"
        first.setdefault(match.name, ValueMatch(name=match.name, kind=kind, value=match.value))
    return tuple(first.values())
