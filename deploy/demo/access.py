"""Who may ask what in the shop: what its services need, read off the topology, and nothing else.

In: the routes of the shop and the calls they make. Out: AuthorizationPolicies. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from deploy.demo.edge import GATEWAY
from deploy.demo.topology import BY_NAME, ENTRY, SHOPS
from proxy.control.documents import API_VERSION

Asked = tuple[str, str]
"""A method and a path, `{…}` in it for any one segment."""


def policies() -> list[dict[str, Any]]:
    """One that closes everything, then what is allowed: to outsiders at the gateway, to callers at each service."""
    front_doors = [(route.method, route.path) for route in BY_NAME[ENTRY].routes]
    outsiders = {"name": "customers", "matches": _matches(front_doors)}
    return [
        _policy("nobody"),
        _policy(GATEWAY, {"kind": "Gateway", "name": GATEWAY}, [outsiders]),
        _policy(ENTRY, {"name": ENTRY}, [_rule(GATEWAY, front_doors)]),
        *(
            _policy(shop.name, {"name": shop.name}, [_rule(*caller) for caller in callers(shop.name).items()])
            for shop in SHOPS
            if shop.name != ENTRY
        ),
    ]


def callers(service: str) -> dict[str, list[Asked]]:
    """Who calls a service, and what each asks of it."""
    found: dict[str, list[Asked]] = {}
    for shop in SHOPS:
        calls = (call for route in shop.routes for stage in route.stages for call in stage)
        if asked := [(call.method, call.path) for call in calls if call.service == service]:
            found[shop.name] = list(dict.fromkeys(asked))
    return found


def _rule(caller: str, asked: Iterable[Asked]) -> dict[str, Any]:
    return {"name": caller, "callers": [{"name": caller}], "matches": _matches(asked)}


def _matches(asked: Iterable[Asked]) -> list[dict[str, Any]]:
    return [
        {"method": method, "path": {"type": "Template" if "{" in path else "Exact", "value": path}}
        for method, path in asked
    ]


def _policy(name: str, target: dict[str, str] | None = None, rules: Iterable[dict[str, Any]] = ()) -> dict[str, Any]:
    """Without a target it is for every service and gateway; without rules it allows nothing."""
    spec = {"targetRef": target, "rules": list(rules)} if target else {}
    return {"apiVersion": API_VERSION, "kind": "AuthorizationPolicy", "metadata": {"name": name}, "spec": spec}
