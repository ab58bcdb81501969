"""A TrafficPolicy reaches the proxies of everyone who calls its service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proxy.control.compile import compile_snapshot
from proxy.control.epochs.changes import changes_between
from proxy.control.errors import ConfigRefused
from proxy.control.reading.read import load
from proxy.control.registry import Registry, register
from proxy.snapshot import Policy
from tests.world import meshes

API = meshes.service("api", meshes.endpoint("api-1", sidecar=meshes.sidecar(1, 2, 3)))
CART = meshes.service("cart", meshes.endpoint("cart-1", 18_002))


def policy(name: str = "cart", target: str = "cart", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": meshes.API_VERSION,
        "kind": "TrafficPolicy",
        "metadata": {"name": name},
        "spec": {"targetRef": {"name": target}, **spec},
    }


def registry(tmp_path: Path, *documents: dict[str, Any]) -> Registry:
    return register(load(meshes.write(tmp_path / "mesh.yaml", API, CART, *documents)))


def policies(tmp_path: Path, *documents: dict[str, Any]) -> dict[str, Policy]:
    made = compile_snapshot(registry(tmp_path, *documents), "api-1", 1)
    return {service.name: service.policy for service in made.workloads[0].services}


def test_everything_a_policy_says_is_carried_over(tmp_path: Path) -> None:
    found = policies(
        tmp_path,
        policy(
            balancer={"type": "hash", "hashOn": {"cookie": "User"}, "slowStart": "30s", "zoneThreshold": 70},
            outlier={"consecutiveFailures": 3, "latencyFactor": 4, "ejectionTime": "1m", "maxEjected": 30},
            breaker={"requests": 100, "pending": 10},
            retry={
                "attempts": 3,
                "on": ["5xx"],
                "statuses": [429],
                "backoff": {"base": "10ms", "max": "1s"},
                "budget": {"percent": 10, "perSecond": 1},
                "bodyBytes": "1MiB",
            },
            hedge={"after": "80ms"},
        ),
    )
    assert found["api"] == Policy()
    assert found["cart"].model_dump(exclude_defaults=True) == {
        "balancer": {
            "kind": "hash",
            "hash_on": {"kind": "cookie", "name": "user"},
            "slow_start_ms": 30_000,
            "zone_percent": 70,
        },
        "outlier": {"consecutive": 3, "latency_factor": 4.0, "ejection_ms": 60_000, "most_ejected": 30},
        "breaker": {"requests": 100, "pending": 10},
        "retry": {
            "attempts": 3,
            "on": ("5xx",),
            "statuses": (429,),
            "backoff_ms": 10,
            "backoff_max_ms": 1_000,
            "budget_percent": 10,
            "budget_per_s": 1,
            "body_bytes": 1 << 20,
        },
        "hedge": {"after_ms": 80},
    }


def test_an_empty_section_switches_its_defaults_on(tmp_path: Path) -> None:
    found = policies(tmp_path, policy(outlier={}, retry={}))["cart"]
    assert found.outlier is not None
    assert found.outlier.consecutive == 5
    assert found.retry is not None
    assert found.retry.attempts == 2


@pytest.mark.parametrize(
    ("documents", "told"),
    [
        ([policy(target="crt")], "TrafficPolicy cart: spec.targetRef: there is no Service crt; did you mean cart?"),
        ([policy("one"), policy("two")], "TrafficPolicy of cart is claimed twice: by one and by two"),
        ([policy(balancer={"type": "hash"})], "spec.balancer: hashOn belongs to type: hash"),
        ([policy(balancer={"type": "hash", "hashOn": {}})], "expected one of header, cookie or source: true"),
        ([policy(retry={"attempts": 0})], "spec.retry.attempts"),
        ([policy(retry={"backoff": {"base": "5m"}})], "spec.retry.backoff.base"),
        ([policy(hedge={})], "spec.hedge.after: field required"),
        ([policy(breaker={"requestz": 1})], "spec.breaker.requestz: unknown key; did you mean requests?"),
    ],
)
def test_a_mistake_is_refused_with_its_place(tmp_path: Path, documents: list[dict[str, Any]], told: str) -> None:
    with pytest.raises(ConfigRefused) as refused:
        registry(tmp_path, *documents)
    assert told in str(refused.value)


def test_a_changed_policy_is_told_of(tmp_path: Path) -> None:
    before, after = registry(tmp_path, policy()), registry(tmp_path, policy(retry={}))
    (change,) = changes_between(before, after)
    assert (change.kind, change.service, change.summary) == ("config", "cart", "TrafficPolicy cart changed")
