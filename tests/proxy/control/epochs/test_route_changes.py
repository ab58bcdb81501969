"""What operators are told when routes change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from proxy.control.epochs.change import Change
from proxy.control.epochs.changes import changes_between
from proxy.control.reading.read import load
from proxy.control.registry import Registry, register
from tests.world import meshes

SERVICES = [
    meshes.service(name, meshes.endpoint(f"{name}-1", port)) for name, port in (("cart", 18_001), ("old", 18_002))
]


def registry(tmp_path: Path, *documents: dict[str, Any]) -> Registry:
    return register(load(meshes.write(tmp_path / "mesh.yaml", *SERVICES, *documents)))


def split(**weights: int) -> dict[str, Any]:
    return {
        "name": "split",
        "backendRefs": [{"name": "cart", "version": version, "weight": weight} for version, weight in weights.items()],
    }


def told(tmp_path: Path, before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[Change]:
    was, now = (registry(tmp_path, meshes.route("canary", "cart", *rules)) for rules in (before, after))
    return changes_between(was, now)


def test_shifted_weights_are_a_rollout(tmp_path: Path) -> None:
    assert told(tmp_path, [split(v1=90, v2=10)], [split(v1=50, v2=50)]) == [
        Change(
            *("rollout", "cart", "", "v1 90, v2 10", "v1 50, v2 50"),
            "weights of cart changed v1 90, v2 10 -> v1 50, v2 50 (HTTPRoute canary, rule split)",
        )
    ]


def test_services_are_named_where_there_are_several(tmp_path: Path) -> None:
    rules = [[{"backendRefs": [{"name": "old", "weight": n}, {"name": "cart", "version": "v2"}]}] for n in (9, 0)]
    (change,) = told(tmp_path, *rules)
    assert (change.before, change.after) == ("old 9, cart v2 1", "v2 1")
    (change,) = told(tmp_path, [{"backendRefs": meshes.backends("cart")}], [{}])
    assert (change.before, change.after) == ("cart 1", "nobody")


def test_rules_are_told_apart_by_name(tmp_path: Path) -> None:
    first = {"name": "first", "matches": [{"method": "GET"}], "backendRefs": meshes.backends("old")}
    slower = split(v1=1) | {"timeouts": {"request": "5s"}}
    assert [change.summary for change in told(tmp_path, [split(v1=1)], [first, slower])] == [
        "HTTPRoute canary: rule first added",
        "HTTPRoute canary, rule split changed",
    ]
    assert [change.summary for change in told(tmp_path, [first, split(v1=1)], [split(v1=1)])] == [
        "HTTPRoute canary: rule first removed"
    ]
    assert told(tmp_path, [first, split(v1=1)], [split(v1=1), first]) == [], "their order alone changes nothing here"


def test_other_parents_and_whole_routes_are_told_of(tmp_path: Path) -> None:
    one, other, none = (
        registry(tmp_path, *(meshes.route("canary", parent, split(v1=1)) for parent in parents))
        for parents in (["cart"], ["old"], [])
    )
    assert [change.summary for change in changes_between(one, other)] == ["HTTPRoute canary: routes old (before: cart)"]
    assert [change.summary for change in changes_between(none, one)] == ["HTTPRoute canary added"]
    assert [change.summary for change in changes_between(one, none)] == ["HTTPRoute canary removed"]
