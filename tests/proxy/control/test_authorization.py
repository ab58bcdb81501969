"""AuthorizationPolicies reach the proxies of what they are for, callers as SPIFFE ids, and mistakes are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proxy import _engine
from proxy.control.compile import compile_snapshot
from proxy.control.errors import ConfigRefused
from proxy.control.reading.read import load
from proxy.control.registry import Registry, register
from proxy.snapshot.authorization import Authorization
from tests.world import meshes

API = meshes.service("api", meshes.endpoint("api-1", sidecar=meshes.sidecar(1, 2, 3)))
CART = meshes.service("cart", meshes.endpoint("cart-1", sidecar=meshes.sidecar(4, 5, 6)), port=8080)
LEDGER = meshes.service("ledger", meshes.endpoint("ledger-1", sidecar=meshes.sidecar(7, 8, 9)), namespace="bank")


def registry(tmp_path: Path, *documents: dict[str, Any]) -> Registry:
    return register(load(meshes.write(tmp_path / "mesh.yaml", API, CART, LEDGER, *documents)))


def part(registry: Registry, instance: str) -> Authorization | None:
    made = compile_snapshot(registry, instance, 1)
    assert _engine.check(made.model_dump_json()) == 1
    return made.workloads[0].authorization


def test_everything_is_carried_over(tmp_path: Path) -> None:
    rules = [
        {
            "name": "shop",
            "callers": [
                {"name": "api"},
                {"namespace": "bank"},
                {"name": "le*", "namespace": "*"},
                {"identity": "spiffe://other.org/a/*"},
            ],
            "matches": [
                {"method": "POST", "path": {"type": "Exact", "value": "/cart"}},
                {"path": {"value": "/cart/"}, "headers": [{"name": "X-Kind", "value": "a"}]},
                {"path": {"type": "Template", "value": "/cart/{id}/items"}},
            ],
            "ports": [8080],
            "claims": [{"name": "realm.roles", "values": ["adm*"]}],
        },
        {},
    ]
    policy = meshes.access("one", "cart", *rules, action="Deny", mode="Audit")
    found = part(registry(tmp_path, policy), "cart-1")
    assert found is not None
    assert found.model_dump(mode="json", exclude_defaults=True) == {
        "service": "cart",
        "ports": [8080],
        "policies": [
            {
                "name": "one",
                "action": "deny",
                "audit": True,
                "rules": [
                    {
                        "name": "one/shop",
                        "callers": [
                            "spiffe://mesh.local/ns/default/sa/api",
                            "spiffe://mesh.local/ns/bank/sa/*",
                            "spiffe://mesh.local/ns/*/sa/le*",
                            "spiffe://other.org/a/*",
                        ],
                        "matches": [
                            {"path": {"kind": "exact", "value": "/cart"}, "method": "POST"},
                            {
                                "path": {"kind": "prefix", "value": "/cart"},
                                "headers": [{"name": "x-kind", "value": "a"}],
                            },
                            {"path": {"kind": "template", "value": "/cart/{id}/items"}},
                        ],
                        "ports": [8080],
                        "claims": [{"name": "realm.roles", "values": ["adm*"]}],
                    },
                    {"name": "one/1"},
                ],
            }
        ],
    }


def test_only_what_a_policy_is_for_has_it(tmp_path: Path) -> None:
    found = registry(tmp_path, meshes.access("one", "cart"))
    assert part(found, "api-1") is None
    assert part(found, "ledger-1") is None


def test_a_policy_without_target_is_for_its_namespace(tmp_path: Path) -> None:
    found = registry(tmp_path, meshes.access("closed", None), meshes.access("api", "api", {}))
    api, cart = part(found, "api-1"), part(found, "cart-1")
    assert api is not None
    assert cart is not None
    assert [policy.name for policy in api.policies] == ["api", "closed"]
    assert [policy.name for policy in cart.policies] == ["closed"]
    assert part(found, "ledger-1") is None


def test_a_gateway_has_the_ports_of_its_doors(tmp_path: Path) -> None:
    gateway = meshes.gateway("edge", meshes.listener("a", 8001), meshes.listener("b", 8002))
    policy = meshes.access("edge", None, {"ports": [8002]})
    policy["spec"]["targetRef"] = {"kind": "Gateway", "name": "edge"}
    found = part(registry(tmp_path, gateway, policy), "edge")
    assert found is not None
    assert found.ports == (8001, 8002)


def test_headers_are_believed_only_where_the_mesh_says_so(tmp_path: Path) -> None:
    for believes, domain in ((False, None), (True, "mesh.local")):
        mesh = meshes.mesh(authorization={"trustHeaders": believes})
        found = part(registry(tmp_path, mesh, meshes.access("one", "cart")), "cart-1")
        assert found is not None
        assert found.believed == domain


@pytest.mark.parametrize(
    ("rule", "mistake"),
    [
        (
            {"callers": [{"name": "apj"}]},
            r"spec.rules\[0\].callers\[0\]: there is no Service or Gateway apj; did you mean",
        ),
        ({"callers": [{}]}, "expected name, namespace or both, or identity"),
        ({"callers": [{"name": "api", "identity": "*"}]}, "expected name, namespace or both, or identity"),
        ({"callers": [{"identity": "api"}]}, "expected [*] or a SPIFFE id"),
        ({"callers": [{"name": "a*b*"}]}, "expected the name of a Service"),
        ({"matches": [{"path": {"value": "pay"}}]}, "expected a path such as /orders"),
        ({"matches": [{"verb": "GET"}]}, "unknown key"),
        ({"claims": [{"name": "a", "values": ["**"]}]}, "at most one [*]"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, rule: dict[str, Any], mistake: str) -> None:
    with pytest.raises(ConfigRefused, match=mistake):
        registry(tmp_path, meshes.access("one", "cart", rule))


def test_a_target_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigRefused, match=r"spec\.targetRef: there is no Service crat; did you mean cart"):
        registry(tmp_path, meshes.access("one", "crat"))
