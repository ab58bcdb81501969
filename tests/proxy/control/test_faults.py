"""FaultInjections become faults of the callers they are for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proxy.control.compile import compile_snapshot
from proxy.control.epochs.changes import changes_between
from proxy.control.errors import ConfigRefused
from proxy.control.reading.read import load
from proxy.control.registry import Registry, register
from proxy.snapshot.faults import Abort, Fault
from tests.world import meshes

SERVICES = (
    meshes.service("front", meshes.endpoint("front-1", 18_001, sidecar=meshes.sidecar(1, 2, 3))),
    meshes.service("admin", meshes.endpoint("admin-1", 18_002, sidecar=meshes.sidecar(4, 5, 6))),
    meshes.service("cart", meshes.endpoint("cart-1", 18_003)),
)


def injection(*rules: dict[str, Any], name: str = "f", target: str = "cart") -> dict[str, Any]:
    return {
        "apiVersion": meshes.API_VERSION,
        "kind": "FaultInjection",
        "metadata": {"name": name},
        "spec": {"targetRef": {"name": target}, "rules": list(rules)},
    }


def registry(tmp_path: Path, *documents: dict[str, Any]) -> Registry:
    return register(load(meshes.write(tmp_path / "mesh.yaml", *SERVICES, *documents)))


def faults(tmp_path: Path, *documents: dict[str, Any], caller: str = "front") -> tuple[Fault, ...]:
    services = compile_snapshot(registry(tmp_path, *documents), f"{caller}-1", 1).workloads[0].services
    return next(one.faults for one in services if one.name == "cart")


def test_a_rule_becomes_a_fault_a_match(tmp_path: Path) -> None:
    rule = {
        "name": "slow",
        "matches": [
            {"path": {"value": "/a"}, "method": "POST"},
            {"path": {"type": "Exact", "value": "/b"}, "headers": [{"name": "X-User", "value": "1"}]},
        ],
        "percentage": 0.01,
        "delay": {"fixed": "1.5s", "jitter": "20ms"},
        "abort": {"grpcStatus": 14},
    }
    first, second = faults(tmp_path, injection(rule))
    assert first.path is not None
    assert (first.path.kind, first.path.value, first.method) == ("prefix", "/a", "POST")
    assert second.headers[0].name == "x-user"
    for fault in (first, second):
        assert (fault.name, fault.per_million, fault.delay_ms, fault.delay_jitter_ms) == ("f/slow", 100, 1500, 20)
        assert fault.abort == Abort(grpc_status=14)


def test_faults_are_made_by_the_callers_that_are_named(tmp_path: Path) -> None:
    document = injection(
        {"callers": [{"name": "front"}], "abort": {"status": 500}},
        {"abort": {"reset": True}},
    )
    assert [one.name for one in faults(tmp_path, document)] == ["f/0", "f/1"]
    assert [one.name for one in faults(tmp_path, document, caller="admin")] == ["f/1"]
    made = compile_snapshot(registry(tmp_path, document), "front-1", 1)
    assert [one.faults for one in made.workloads[0].services if one.name != "cart"] == [(), ()]


def test_documents_are_tried_in_order_of_name(tmp_path: Path) -> None:
    late, early = (injection({"abort": {"status": 500}}, name=name) for name in ("b", "a"))
    assert [one.name for one in faults(tmp_path, late, early)] == ["a/0", "b/0"]


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({}, "spec.rules[0]: expected delay, abort or both"),
        ({"abort": {}}, "spec.rules[0].abort: expected one of status, grpcStatus and reset"),
        ({"abort": {"status": 500, "reset": True}}, "spec.rules[0].abort: expected one of"),
        ({"abort": {"status": 99}}, "spec.rules[0].abort.status"),
        ({"percentage": 0.005, "abort": {"reset": True}}, "spec.rules[0].percentage: expected a percentage with two"),
        ({"percentage": 101, "abort": {"reset": True}}, "spec.rules[0].percentage"),
        ({"delay": {"fixed": "1h", "jitter": "1s"}}, "spec.rules[0].delay: expected an hour at most"),
        (
            {"callers": [{"name": "fromt"}], "abort": {"reset": True}},
            "spec.rules[0].callers[0]: there is no Service fromt",
        ),
        ({"delay": {"fixd": "1s"}}, "spec.rules[0].delay.fixd: unknown key; did you mean fixed?"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, rule: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigRefused) as refused:
        registry(tmp_path, injection(rule))
    assert told in str(refused.value)


def test_a_change_concerns_the_service(tmp_path: Path) -> None:
    before = registry(tmp_path)
    after = registry(tmp_path, injection({"abort": {"status": 500}}))
    (change,) = changes_between(before, after)
    assert (change.service, change.summary) == ("cart", "FaultInjection f added")
