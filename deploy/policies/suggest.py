"""Writes the policies that recorded traffic needs, and no more.

In: flows as they were recorded, each who asked whom for what, and how often. Out: one AuthorizationPolicy a callee, a
rule for each of its callers. Pure. What a policy cannot say is left out of its rule, which then allows more: a path
that is known by no template, and callers that nobody knew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

MOST_MATCHES = 64
"""A rule with more is one for methods."""
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")


@dataclass(frozen=True)
class Flow:
    """Requests of one kind; without a method, connections that are not HTTP."""

    caller: str
    service: str
    namespace: str
    method: str
    route: str
    grpc: bool
    count: int


def suggest(flows: Iterable[Flow], mode: str) -> list[dict[str, Any]]:
    """The documents, by name; a caller by name in the mesh is `name` or `name.namespace`."""
    found: dict[tuple[str, str], dict[str, list[Flow]]] = defaultdict(lambda: defaultdict(list))
    for flow in flows:
        found[flow.namespace, _bare(flow.service, flow.namespace)][flow.caller].append(flow)
    return [_policy(*callee, mode, callers) for callee, callers in sorted(found.items())]


def _policy(namespace: str, name: str, mode: str, callers: dict[str, list[Flow]]) -> dict[str, Any]:
    return {
        "apiVersion": "whymesh.io/v1alpha1",
        "kind": "AuthorizationPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "targetRef": {"name": name},
            "mode": mode,
            "rules": [_rule(caller, flows) for caller, flows in sorted(callers.items())],
        },
    }


def _rule(caller: str, flows: list[Flow]) -> dict[str, Any]:
    rule: dict[str, Any] = {"name": caller or "anyone"}
    if caller:
        name, _, namespace = caller.rpartition(".") if "." in caller else (caller, "", "default")
        rule["callers"] = [{"name": name, "namespace": namespace}]
    matches = _matches(flows)
    return {**rule, "matches": matches} if matches else rule


def _matches(flows: list[Flow]) -> list[dict[str, Any]]:
    """None where something was carried that shows neither method nor path."""
    if any(flow.method not in METHODS for flow in flows):
        return []
    asked = sorted({(flow.method, _path(flow)) for flow in flows})
    if len(asked) > MOST_MATCHES:
        return [{"method": method} for method in sorted({method for method, _ in asked})]
    return [{"method": method, **({"path": dict(path)} if path else {})} for method, path in asked]


def _path(flow: Flow) -> tuple[tuple[str, str], ...]:
    """The route as a path of a policy; empty where it says nothing of the path."""
    route = flow.route
    if not route.startswith("/") or "//" in route or set("?#%*()[]|\\^$+") & set(route):
        return ()
    return (("type", "Template" if "{" in route and not flow.grpc else "Exact"), ("value", route))


def _bare(service: str, namespace: str) -> str:
    return service if namespace == "default" else service.removesuffix(f".{namespace}")
