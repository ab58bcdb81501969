"""HTTPRoutes and GRPCRoutes become routes in the order of the Gateway API's precedence."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from proxy.control.compile import compile_snapshot
from proxy.control.errors import ConfigRefused
from proxy.control.reading.read import load
from proxy.control.registry import Registry, register
from proxy.snapshot.routes import Route
from tests.world import meshes

API = meshes.service("api", meshes.endpoint("api-1", sidecar=meshes.sidecar(1, 2, 3)))
OTHER = meshes.service("other", meshes.endpoint("other-1", 18_002), port=8080)


def registry(tmp_path: Path, *documents: dict[str, Any]) -> Registry:
    return register(load(meshes.write(tmp_path / "mesh.yaml", API, OTHER, *documents)))


def routes(tmp_path: Path, *documents: dict[str, Any]) -> tuple[Route, ...]:
    made = compile_snapshot(registry(tmp_path, *documents), "api-1", 1).workloads[0].services[0].routes
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
    assert compile_snapshot(registry(tmp_path), "api-1", 1).workloads[0].services[0].routes is None


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
                "retry": {"codes": [500, 503], "attempts": 2, "backoff": "100ms"},
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
        "sticky": {"kind": "cookie", "name": "user", "given": True},
        "timeout_ms": 2_000,
        "attempt_timeout_ms": 500,
        "retry": {"attempts": 3, "statuses": (500, 503), "pause_ms": 100},
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
        (
            rule("x", path("/a", "RegularExpression") | {"path": {"type": "RegularExpression", "value": "(?=a)"}}),
            "spec.rules[0].matches[0].path: not an expression that routes can use: look-around",
        ),
        (rule("x", path("/a(", "RegularExpression")), "not an expression that routes can use"),
        (rule("x", path("/(?:a{900}){900}", "RegularExpression")), "size"),
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
        (
            rule("x", filters=[{"type": "ResponseHeaderModifier", "responseHeaderModifier": {"remove": ["a"]}}] * 2),
            "ResponseHeaderModifier can be given once",
        ),
    ],
)
def test_a_mistake_is_refused_with_its_place(tmp_path: Path, broken: dict[str, Any], told: str) -> None:
    assert told in refusal(tmp_path, broken)


def test_two_rules_of_one_name_are_refused(tmp_path: Path) -> None:
    assert "spec: rules: two rules are called x" in refusal(tmp_path, rule("x"), rule("x", path("/a")))


def test_a_service_has_routes_of_one_kind(tmp_path: Path) -> None:
    with pytest.raises(ConfigRefused) as refused:
        registry(tmp_path, meshes.route("a", "api", rule("x")), meshes.route("b", "api", rule("x"), kind="GRPCRoute"))
    assert "GRPCRoute b: spec.parentRefs[0]: HTTPRoute a already routes Service api" in str(refused.value)


def test_a_route_of_the_callers_namespace_stands_in_for_those_of_the_service(tmp_path: Path) -> None:
    """Producer and consumer routes (GEP-1294, GEP-1324)."""
    there = meshes.service(
        "there", meshes.endpoint("there-1", 18_003, sidecar=meshes.sidecar(4, 5, 6)), namespace="team"
    )
    producer = meshes.route("producer", "api", rule("x"))
    consumer = meshes.route("consumer", "api", rule("x"))
    consumer["metadata"]["namespace"] = "team"
    consumer["spec"]["parentRefs"][0]["namespace"] = "default"
    consumer["spec"]["rules"][0]["backendRefs"][0]["namespace"] = "default"

    def names(instance: str, *documents: dict[str, Any]) -> list[str] | None:
        made = compile_snapshot(registry(tmp_path, there, *documents), instance, 1).workloads[0].services
        found = next(one for one in made if one.name == "api").routes
        return None if found is None else [one.name for one in found]

    assert names("api-1", producer, consumer) == ["producer/x"]
    assert names("there-1", producer, consumer) == ["consumer.team/x"]
    assert names("there-1", producer) == ["producer/x"]
    assert names("api-1", consumer) is None


def test_the_first_of_two_matches_for_one_name_counts(tmp_path: Path) -> None:
    twice = {"headers": [{"name": name, "value": value} for name, value in (("X-A", "1"), ("x-a", "2"))]}
    (found,) = routes(tmp_path, meshes.route("r", "api", rule("x", twice)))
    assert [(one.name, one.value) for one in found.headers] == [("x-a", "1")]


@pytest.mark.parametrize(
    ("written", "limits"),
    [
        ({"request": "1m30s"}, (90_000, None)),
        ({"request": "0s"}, (0, None)),
        ({"request": "0s", "backendRequest": "2s"}, (0, 2_000)),
        ({"request": "1h0m2s300ms", "backendRequest": "0ms"}, (3_602_300, 0)),
    ],
)
def test_durations_are_written_as_the_gateway_api_does(
    tmp_path: Path, written: dict[str, str], limits: tuple[int | None, int | None]
) -> None:
    (found,) = routes(tmp_path, meshes.route("r", "api", rule("x", timeouts=written)))
    assert (found.timeout_ms, found.attempt_timeout_ms) == limits


@pytest.mark.parametrize(
    ("written", "retry"),
    [
        ({}, {}),
        ({"attempts": 0}, {"attempts": 1}),
        ({"codes": [500]}, {"statuses": (500,)}),
        ({"backoff": "10ms"}, {"pause_ms": 10}),
    ],
)
def test_a_rule_says_of_retries_what_it_wants(tmp_path: Path, written: dict[str, Any], retry: dict[str, Any]) -> None:
    (found,) = routes(tmp_path, meshes.route("r", "api", rule("x", retry=written)))
    assert found.retry is not None
    assert found.retry.model_dump(exclude_defaults=True) == retry


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ({"codes": [200]}, "spec.rules[0].retry.codes[0]"),
        ({"codes": []}, "spec.rules[0].retry.codes"),
        ({"attempts": 10}, "spec.rules[0].retry.attempts"),
        ({"backoff": "5m"}, "spec.rules[0].retry.backoff"),
    ],
)
def test_retries_that_cannot_be_are_refused(tmp_path: Path, written: dict[str, Any], told: str) -> None:
    assert told in refusal(tmp_path, rule("x", retry=written))


@pytest.mark.parametrize(
    ("written", "sticky"),
    [
        ({}, {"kind": "cookie", "name": "mesh-session", "given": True}),
        ({"type": "Header", "sessionName": "X-S"}, {"kind": "header", "name": "x-s", "given": True}),
        ({"sessionName": "user", "tokenFrom": "Application"}, {"kind": "cookie", "name": "user"}),
        (
            {"absoluteTimeout": "1h", "cookieConfig": {"lifetimeType": "Permanent"}},
            {"kind": "cookie", "name": "mesh-session", "given": True, "max_age_s": 3_600},
        ),
    ],
)
def test_sessions_are_kept_as_written(tmp_path: Path, written: dict[str, Any], sticky: dict[str, Any]) -> None:
    (found,) = routes(tmp_path, meshes.route("r", "api", rule("x", sessionPersistence=written)))
    assert found.sticky is not None
    assert found.sticky.model_dump(exclude_defaults=True) == sticky


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ({"absoluteTimeout": "1h"}, "absoluteTimeout and cookieConfig.lifetimeType: Permanent belong together"),
        ({"cookieConfig": {"lifetimeType": "Permanent"}}, "belong together"),
        (
            {"type": "Header", "absoluteTimeout": "1h", "cookieConfig": {"lifetimeType": "Permanent"}},
            "absoluteTimeout is for cookies that the mesh gives",
        ),
        ({"idleTimeout": "1h"}, "spec.rules[0].sessionPersistence.idleTimeout: unknown key"),
    ],
)
def test_sessions_that_cannot_be_kept_are_refused(tmp_path: Path, written: dict[str, Any], told: str) -> None:
    assert told in refusal(tmp_path, rule("x", sessionPersistence=written))


def test_a_rule_without_backends_is_taken(tmp_path: Path) -> None:
    none, zero = routes(
        tmp_path,
        meshes.route("r", "api", {"name": "none"}, {"name": "zero", "backendRefs": meshes.backends(other=0)}),
    )
    assert (none.backends, zero.backends) == ((), ())


def test_the_most_specific_call_is_tried_first(tmp_path: Path) -> None:
    """The characters of the service count first, then those of the method, then headers (GRPCRouteRule.matches)."""
    header = {"name": "x-a", "value": "1"}
    in_order = [
        rule("long-service", {"method": {"service": "shop.Carts"}}),
        rule("service-and-method", {"method": {"service": "shop.Cart", "method": "Add"}}),
        rule("service-and-header", {"method": {"service": "shop.Cart"}, "headers": [header]}),
        rule("service", {"method": {"service": "shop.Cart"}}),
        rule("pattern", {"method": {"type": "RegularExpression", "service": "shop.*"}}),
        rule("long-method", {"method": {"method": "AddAll"}}),
        rule("method", {"method": {"method": "Add"}}),
        rule("header", {"headers": [header]}),
        rule("any"),
    ]
    for seed in range(5):
        shuffled = list(in_order)
        random.Random(seed).shuffle(shuffled)
        found = routes(tmp_path, meshes.route("r", "api", *shuffled, kind="GRPCRoute"))
        assert [one.name.removeprefix("r/") for one in found] == [one["name"] for one in in_order]


def test_a_route_for_no_service_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigRefused, match=r"HTTPRoute r: spec.parentRefs\[0\]: there is no Service apo; did you mean api"
    ):
        registry(tmp_path, meshes.route("r", "apo", rule("x")))
    mesh = meshes.route("r", "api", rule("x"))
    mesh["spec"]["parentRefs"][0]["kind"] = "Mesh"
    with pytest.raises(ConfigRefused, match=r"parentRefs\[0\].kind: input should be 'Service' or 'Gateway'"):
        registry(tmp_path, mesh)
