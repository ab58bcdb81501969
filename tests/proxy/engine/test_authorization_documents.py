"""Documents as people write them decide alike in the proxy, in `policy check`, and by docs/authorization.md."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.control.compile.authorization import authorization
from proxy.control.configuration import assembled
from proxy.control.policies.check import Question, check
from proxy.control.registry import Registry, register
from tests.world import meshes
from tests.world.controls import written
from tests.world.deciding import Deciding, deciding
from tests.world.tokens import SigningKey, key_set

ISSUER = "https://id.example.com/"
KEY = SigningKey.make("EdDSA")
BACK = meshes.service("back", meshes.endpoint("back-1", sidecar=meshes.sidecar(1, 2, 3)))
MESH = meshes.mesh(authorization={"trustHeaders": True})
SOURCES = ["front", "orders", "orders-eu", "orders.shop", "front.shop", "admin.ops"]
CALLERS = [
    meshes.service(name, namespace=space or "default") for name, _, space in (one.partition(".") for one in SOURCES)
]

texts = st.sampled_from(["orders", "ord*", "*", "*-eu", "front"])
spaces = st.sampled_from(["default", "shop", "*", "o*"])
identities = st.sampled_from(["*", "spiffe://mesh.local/ns/*/sa/orders", "spiffe://mesh.local/ns/shop/sa/*"])
callers = (
    st.fixed_dictionaries({"name": texts}, optional={"namespace": spaces})
    | st.fixed_dictionaries({"namespace": spaces})
    | st.fixed_dictionaries({"identity": identities})
)
asked_paths = st.sampled_from(["/", "/pay", "/pay/7", "/pay/7/items", "/payments", "/admin"])
paths = st.fixed_dictionaries(
    {"type": st.sampled_from(["Exact", "PathPrefix"]), "value": asked_paths}
) | st.sampled_from([{"type": "Template", "value": "/pay/{id}"}, {"type": "Template", "value": "/{any}"}])
headers = st.fixed_dictionaries(
    {"name": st.just("x-role"), "value": st.sampled_from(["a", "b", "a|b"])},
    optional={"type": st.sampled_from(["Exact", "RegularExpression"])},
)
matches = st.fixed_dictionaries(
    {},
    optional={
        "method": st.sampled_from(["GET", "POST"]),
        "path": paths,
        "headers": st.lists(headers, min_size=1, max_size=1),
    },
)
claims = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["sub", "realm.roles"]),
        "values": st.lists(st.sampled_from(["ann", "adm*", "guest", "*"]), min_size=1, max_size=2),
    }
)
rules = st.fixed_dictionaries(
    {},
    optional={
        "callers": st.lists(callers, min_size=1, max_size=2),
        "matches": st.lists(matches, min_size=1, max_size=2),
        "ports": st.lists(st.sampled_from([80, 81]), min_size=1, max_size=2),
        "claims": st.lists(claims, min_size=1, max_size=2),
    },
)
specs = st.fixed_dictionaries(
    {"rules": st.lists(rules, max_size=3)},
    optional={
        "action": st.sampled_from(["Allow", "Deny"]),
        "mode": st.sampled_from(["Enforce", "Audit"]),
        "targetRef": st.just({"name": "back"}),
    },
)
tokens = st.none() | st.fixed_dictionaries(
    {"sub": st.sampled_from(["ann", "bob"])},
    optional={"realm": st.fixed_dictionaries({"roles": st.lists(st.sampled_from(["admin", "guest"]), max_size=2)})},
)
requests = st.fixed_dictionaries(
    {
        "source": st.none() | st.sampled_from(SOURCES),
        "method": st.sampled_from(["GET", "POST", "DELETE"]),
        "path": asked_paths,
        "role": st.none() | st.sampled_from(["a", "b", "c"]),
        "claims": tokens,
    }
)


@pytest.fixture(scope="module")
def proxy() -> Iterator[Deciding]:
    with deciding() as made:
        yield made


def registry(policies: list[dict[str, Any]], required: bool) -> Registry:
    """`back` under these policies, some for the whole namespace, with tokens of one issuer."""
    kind = {"apiVersion": meshes.API_VERSION, "kind": "AuthorizationPolicy"}
    documents = [{**kind, "metadata": {"name": f"p{place}"}, "spec": spec} for place, spec in enumerate(policies)]
    authentication = {
        "apiVersion": meshes.API_VERSION,
        "kind": "RequestAuthentication",
        "metadata": {"name": "id"},
        "spec": {"required": required, "issuers": [{"issuer": ISSUER, "jwks": key_set(KEY)}]},
    }
    return register(assembled(written(MESH, BACK, *CALLERS, *documents, authentication), "test"))


def identity(request: dict[str, Any]) -> str | None:
    name, _, namespace = (request["source"] or "").partition(".")
    return f"spiffe://mesh.local/ns/{namespace or 'default'}/sa/{name}" if name else None


def sent(request: dict[str, Any]) -> tuple[str, str, dict[str, str]]:
    found = {"x-role": request["role"]} if request["role"] else {}
    if request["source"]:
        found["x-mesh-source"] = f"{request['source']}/v1/one"
    if request["claims"] is not None:
        said = {"iss": ISSUER, "exp": time.time() + 600, **request["claims"]}
        found["authorization"] = f"Bearer {KEY.token(said)}"
    return request["method"], request["path"], found


def asked(request: dict[str, Any]) -> Question:
    role = (("x-role", request["role"]),) if request["role"] else ()
    parts = {key: request[key] for key in ("method", "path", "claims")}
    return Question(caller=identity(request), to="back", headers=role, **parts)


def by_the_book(policies: list[dict[str, Any]], required: bool, request: dict[str, Any]) -> bool:
    """docs/authorization.md, word for word: a token where one is required; deny goes first; then something allows."""
    if required and request["claims"] is None:
        return False
    enforced = [one for one in policies if one.get("mode") != "Audit"]
    denying = [one for one in enforced if one.get("action") == "Deny"]
    allowing = [one for one in enforced if one.get("action") != "Deny"]
    if any(_holds(rule, request) for one in denying for rule in one["rules"]):
        return False
    if not enforced:
        return True
    return any(_holds(rule, request) for one in allowing for rule in one["rules"])


def _holds(rule: dict[str, Any], request: dict[str, Any]) -> bool:
    said = [
        any(_is(caller, request) for caller in rule.get("callers", [{"identity": None}])),
        any(_asks(match, request) for match in rule.get("matches", [{}])),
        80 in rule.get("ports", [80]),
        all(_claims(claim, request["claims"]) for claim in rule.get("claims", [])),
    ]
    return all(said)


def _is(caller: dict[str, Any], request: dict[str, Any]) -> bool:
    written_out = f"spiffe://mesh.local/ns/{caller.get('namespace', 'default')}/sa/{caller.get('name', '*')}"
    wanted = caller.get("identity", written_out)
    if wanted is None:
        return True
    own = identity(request)
    return own is not None and (wanted == "*" or fnmatchcase(own, wanted))


def _asks(match: dict[str, Any], request: dict[str, Any]) -> bool:
    path = match.get("path", {"type": "PathPrefix", "value": "/"})
    plain = path["value"].rstrip("/")
    fits = {
        "Exact": request["path"] == path["value"],
        "PathPrefix": f"{request['path']}/".startswith(f"{plain}/"),
        "Template": re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path["value"]), request["path"]) is not None,
    }
    return (
        match.get("method", request["method"]) == request["method"]
        and fits[path["type"]]
        and all(_header(header, request["role"]) for header in match.get("headers", []))
    )


def _header(header: dict[str, Any], role: str | None) -> bool:
    if role is None:
        return False
    if header.get("type") == "RegularExpression":
        return re.fullmatch(header["value"], role) is not None
    return bool(role == header["value"])


def _claims(claim: dict[str, Any], said: dict[str, Any] | None) -> bool:
    value: Any = said
    for step in claim["name"].split("."):
        value = value.get(step) if isinstance(value, dict) else None
    found = value if isinstance(value, list) else [value]
    return any(isinstance(one, str) and fnmatchcase(one, wanted) for one in found for wanted in claim["values"])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(specs, min_size=1, max_size=3), st.booleans(), st.lists(requests, min_size=1, max_size=5))
def test_proxy_check_and_document_agree(
    proxy: Deciding, policies: list[dict[str, Any]], required: bool, made: list[dict[str, Any]]
) -> None:
    known = registry(policies, required)
    proxy.go_by(authorization(known, known.services[0]))
    for request in made:
        decided = check(known, asked(request))
        assert proxy.answer(*sent(request)) == (decided["allowed"], decided["reason"]), (policies, request, decided)
        assert decided["allowed"] == by_the_book(policies, required, request), (policies, request, decided)
