"""HTTPRoutes and GRPCRoutes become routes in the order of the Gateway API's precedence."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from proxy.control.changes import changes_between
from proxy.control.compile import compile_snapshot
from proxy.control.errors import ConfigRefused
from proxy.control.read import load
from proxy.control.registry import Registry, register
from proxy.snapshot.routes import Route
from tests.world import meshes

API = meshes.service("api", meshes.endpoint("api-1", sidecar=meshes.sidecar(1, 2, 3)))
OTHER = meshes.service("other", meshes.endpoint("other-1", 18_002), port=8080)


def registry(tmp_path: Path, *documents: dict[str, Any]) -> Registry:
    return register(load(meshes.write(tmp_path / "mesh.yaml", API, OTHER, *documents)))


def routes(tmp_path: Path, *documents: dict[str, Any]) -> tuple[Route, ...]:
    made = compile_snapshot(registry(tmp_path, *documents), "api-1", 1).services[0].routes
    assert made is not None
    return made


def refusal(tmp_path: Path, *rules: dict[str, Any], **more: Any) -> str:
    with pytest.raises(ConfigRefused) as refused:
        registry(tmp_path, meshes.route("r", "api", *rules, **more))
    return str(refused.value)


def rule(name: str, *matches: dict[str, Any], **more: Any) -> dict[str, Any]:
    to = {} if "filters" in more else {"backendRefs": meshes.backends("other")}
    return {"name": name, **({"matches": list(matches)} if matches else {}), **to, **more}


def path(value: str, kind: str = "PathPrefix") -> dict[str, Any]:
    return {"path": {"type": kind, "value": value}}


def test_a_service_without_a_route_has_none(tmp_path: Path) -> None:
    assert compile_snapshot(registry(tmp_path), "api-1", 1).services[0].routes is None


def test_the_most_specific_match_is_tried_first(tmp_path: Path) -> None:
    header, query = {"name": "x-a", "value": "1"}, {"name": "q", "value": "1"}
    in_order = [
        rule("exact", path("/a", "Exact")),
        rule("expression", path("/[a-z]+", "RegularExpression")),
        rule("longest", path("/a/b/c")),
        rule("method", path("/a") | {"method": "GET"}),
        rule("two-headers", path("/a") | {"headers": [header, {"name": "x-b", "value": "1"}]}),
        rule("header-and-query", path("/a") | {"headers": [header], "queryParams": [query]}),
        rule("header", path("/a") | {"headers": [header]}),
        rule("query", path("/a") | {"queryParams": [query]}),
        rule("prefix", path("/a")),
        rule("first-of-two"),
        rule("second-of-two"),
    ]
    names = [str(one["name"]) for one in in_order]
    last_two = in_order[-2:]
    for seed in range(5):
        shuffled = in_order[:-2]
        random.Random(seed).shuffle(shuffled)
        found = routes(tmp_path, meshes.route("r", "api", *shuffled, *last_two))
        assert [one.name.removeprefix("r/") for one in found] == names


def test_of_two_documents_the_first_by_name_wins(tmp_path: Path) -> None:
    late, early = meshes.route("b", "api", rule("x")), meshes.route("a", "api", rule("x"), rule("y"))
    assert [one.name for one in routes(tmp_path, late, early)] == ["a/x", "a/y", "b/x"]


def test_a_grpc_route_becomes_paths(tmp_path: Path) -> None:
    def calls(**method: str) -> dict[str, Any]:
        return {"method": method}

    found = routes(
        tmp_path,
        meshes.route(
            "r",
            "api",
            rule("service", calls(service="shop.Cart")),
            rule("both", calls(service="shop.Cart", method="Add")),
            rule("method", calls(method="Add")),
            rule("pattern", calls(type="RegularExpression", service="shop[.].*")),
            kind="GRPCRoute",
        ),
    )
    paths = {one.name: (one.path.kind, one.path.value) for one in found if one.path}
    assert paths == {
        "r/both": ("exact", "/shop.Cart/Add"),
        "r/method": ("regex", "/[^/]+/(?:Add)"),
        "r/pattern": ("regex", "/(?:shop[.].*)/[^/]+"),
        "r/service": ("prefix", "/shop.Cart"),
    }


def test_what_a_rule_does_is_carried_over(tmp_path: Path) -> None:
    one, two = routes(
        tmp_path,
        meshes.route(
            "r",
            "api",
            {
                "matches": [path("/old/")],
                "filters": [
                    {
                        "type": "RequestHeaderModifier",
                        "requestHeaderModifier": {"set": [{"name": "X-A", "value": "1"}], "remove": ["x-b"]},
                    },
                    {
                        "type": "URLRewrite",
                        "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/new/"}},
                    },
                    {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "api"}, "percent": 5}},
                ],
                "backendRefs": [
                    {"name": "other", "weight": 99, "port": 8080},
                    {"name": "api", "version": "v2", "weight": 1},
                    {"name": "api", "weight": 0},
                ],
                "timeouts": {"request": "2s", "backendRequest": "500ms"},
                "sessionPersistence": {"sessionName": "user", "type": "Cookie"},
            },
            {"filters": [{"type": "DirectResponse", "directResponse": {"status": 410, "body": "gone"}}]},
        ),
    )
    assert one.model_dump(exclude_defaults=True) == {
        "name": "r/0",
        "path": {"kind": "prefix", "value": "/old"},
        "request_headers": {"set": (("x-a", "1"),), "remove": ("x-b",)},
        "rewrite": {"path": {"value": "/new", "prefix": "/old"}},
        "mirrors": ({"to": {"service": "api"}, "per_million": 50_000},),
        "backends": ({"service": "other", "weight": 99}, {"service": "api", "version": "v2"}),
        "sticky": {"kind": "cookie", "name": "user"},
        "timeout_ms": 2_000,
        "attempt_timeout_ms": 500,
    }
    assert two.answer is not None
    assert (two.path, two.answer.status, two.answer.body) == (None, 410, "gone")


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (
            {"backendRefs": [{"name": "othre"}]},
            "spec.rules[0].backendRefs[0]: there is no Service othre; did you mean other?",
        ),
        ({"backendRefs": [{"name": "other", "port": 80}]}, "backendRefs[0].port: Service other has port 8080 (got 80)"),
        ({}, "backendRefs: expected at least one with a weight, or a filter that answers"),
        ({"backendRefs": [{"name": "other", "weight": 0}]}, "expected at least one with a weight"),
        (
            rule("x", path("/a", "RegularExpression") | {"path": {"type": "RegularExpression", "value": "(?=a)"}}),
            "look-around",
        ),
        (rule("x", path("a")), "expected a path such as /orders"),
        (rule("x", filters=[{"type": "URLRewrite", "requestRedirect": {}}]), "type URLRewrite needs urlRewrite"),
        (
            rule("x", filters=[{"type": "RequestRedirect", "requestRedirect": {}}])
            | {"backendRefs": [{"name": "other"}]},
            "a rule with RequestRedirect sends nothing on",
        ),
        (
            rule(
                "x",
                path("/a", "Exact"),
                filters=[
                    {
                        "type": "RequestRedirect",
                        "requestRedirect": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}},
                    }
                ],
            ),
            "ReplacePrefixMatch needs matches of type PathPrefix only",
        ),
        (
            rule(
                "x",
                filters=[
                    {"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["Transfer-Encoding"]}},
                ],
            ),
            "transfer-encoding says how a message is carried",
        ),
        (
            rule("x") | {"timeouts": {"request": "1s", "backendRequest": "2s"}},
            "backendRequest cannot be longer than request",
        ),
    ],
)
def test_a_mistake_is_refused_with_its_place(tmp_path: Path, broken: dict[str, Any], told: str) -> None:
    assert told in refusal(tmp_path, broken)


def test_a_route_for_no_service_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigRefused, match=r"HTTPRoute r: spec.parentRefs\[0\]: there is no Service apo; did you mean api"
    ):
        registry(tmp_path, meshes.route("r", "apo", rule("x")))
    gateway = meshes.route("r", "api", rule("x"))
    gateway["spec"]["parentRefs"][0]["kind"] = "Gateway"
    with pytest.raises(ConfigRefused, match=r"parentRefs\[0\].kind: input should be 'Service'"):
        registry(tmp_path, gateway)


def test_a_change_of_weights_is_told_of(tmp_path: Path) -> None:
    before = registry(tmp_path, meshes.route("canary", "api", {"backendRefs": meshes.backends(api=9, other=1)}))
    after = registry(tmp_path, meshes.route("canary", "api", {"backendRefs": meshes.backends(api=5, other=5)}))
    told = [(change.service, change.before, change.after, change.summary) for change in changes_between(before, after)]
    assert told == [
        (
            "api",
            "api 9, other 1",
            "api 5, other 5",
            "HTTPRoute canary: shares of api from api 9, other 1 to api 5, other 5",
        )
    ]
    removed = changes_between(after, registry(tmp_path))
    assert [change.summary for change in removed] == ["HTTPRoute canary removed"]
