"""A proxy decides about real requests as `decide` says it would, whatever the policies and the requests are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy._engine import decide
from proxy.snapshot.authorization import Authorization
from tests.world.deciding import Deciding, deciding

names = st.sampled_from(["front", "orders", "orders.shop", "admin"])
segments = st.sampled_from(["pay", "admin", "7", "a.b", "..", ".", "", "%61dmin", "pay;x=1", "a%2Fb", "{id}"])
paths = st.lists(segments, min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))
methods = st.sampled_from(["GET", "POST", "DELETE"])
patterns = st.sampled_from(
    [
        "*",
        "spiffe://mesh.local/ns/default/sa/front",
        "spiffe://mesh.local/ns/*/sa/orders",
        "spiffe://mesh.local/ns/shop/sa/*",
        "spiffe://other/ns/*/sa/*",
    ]
)
asked = st.fixed_dictionaries(
    {},
    optional={
        "method": methods,
        "path": st.fixed_dictionaries(
            {"kind": st.sampled_from(["exact", "prefix", "template"]), "value": paths.filter(lambda at: "%" not in at)}
        ),
        "headers": st.lists(
            st.fixed_dictionaries({"name": st.just("x-role"), "value": st.sampled_from(["a", "b"])}), max_size=1
        ),
    },
)
rules = st.fixed_dictionaries(
    {"name": st.sampled_from(["p/0", "p/1", "p/2"])},
    optional={
        "callers": st.lists(patterns, max_size=2),
        "matches": st.lists(asked, max_size=2),
        "ports": st.lists(st.sampled_from([80, 81]), max_size=2),
        "claims": st.just([]),
    },
)
policies = st.fixed_dictionaries(
    {"name": st.just("p"), "rules": st.lists(rules, max_size=3)},
    optional={"action": st.sampled_from(["allow", "deny"]), "audit": st.booleans()},
)
requests = st.fixed_dictionaries(
    {"source": st.none() | names, "method": methods, "path": paths, "role": st.none() | st.sampled_from(["a", "b"])}
)


@pytest.fixture(scope="module")
def proxy() -> Iterator[Deciding]:
    with deciding() as made:
        yield made


def sent(request: dict[str, Any]) -> tuple[str, str, dict[str, str]]:
    headers = {"x-role": request["role"]} if request["role"] else {}
    if request["source"]:
        headers["x-mesh-source"] = f"{request['source']}/v1/one"
    return request["method"], request["path"], headers


def question(request: dict[str, Any]) -> dict[str, Any]:
    name, _, namespace = (request["source"] or "").partition(".")
    caller = f"spiffe://mesh.local/ns/{namespace or 'default'}/sa/{name}" if name else None
    headers = [["x-role", request["role"]]] if request["role"] else []
    return {"caller": caller, "port": 80, "method": request["method"], "path": request["path"], "headers": headers}


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(policies, min_size=1, max_size=3), st.lists(requests, min_size=1, max_size=6))
def test_the_proxy_and_the_check_decide_alike(
    proxy: Deciding, written: list[dict[str, Any]], made: list[dict[str, Any]]
) -> None:
    part = Authorization.model_validate(
        {"service": "back", "ports": [80], "believed": "mesh.local", "policies": written}
    )
    proxy.go_by(part)
    for request in made:
        decided = json.loads(decide(part.model_dump_json(), json.dumps(question(request))))
        assert proxy.answer(*sent(request)) == (decided["allowed"], decided["reason"]), (request, decided)
