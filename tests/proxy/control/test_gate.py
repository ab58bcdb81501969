"""What a TrafficPolicy says of requests that arrive reaches the proxies beside its service, and only those."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proxy.control.compile import compile_snapshot
from proxy.control.errors import ConfigRefused
from proxy.control.read import load
from proxy.control.registry import register
from proxy.snapshot.gate import Gate
from tests.world import meshes

API = meshes.service("api", meshes.endpoint("api-1", sidecar=meshes.sidecar(1, 2, 3)))
CART = meshes.service("cart", meshes.endpoint("cart-1", sidecar=meshes.sidecar(4, 5, 6)))


def gate(tmp_path: Path, instance: str, **spec: Any) -> Gate:
    policy = {
        "apiVersion": meshes.API_VERSION,
        "kind": "TrafficPolicy",
        "metadata": {"name": "cart"},
        "spec": {"targetRef": {"name": "cart"}, **spec},
    }
    made = compile_snapshot(register(load(meshes.write(tmp_path / "mesh.yaml", API, CART, policy))), instance, 1)
    assert made.inbound
    return made.inbound.gate


def test_everything_is_carried_over(tmp_path: Path) -> None:
    spec: dict[str, Any] = {
        "rateLimit": {"requests": 50, "per": "1m", "burst": 9, "by": {"header": "X-User"}, "keys": 20},
        "concurrency": {"min": 2, "max": 40, "tolerance": 1.5, "window": "200ms", "measure": "10s"},
        "shedding": {"lag": "20ms", "spared": {"header": "X-Priority", "value": "high"}},
    }
    assert gate(tmp_path, "cart-1", **spec).model_dump() == {
        "rate_limit": {
            "requests": 50,
            "per_ms": 60_000,
            "burst": 9,
            "by": {"kind": "header", "name": "x-user"},
            "keys": 20,
        },
        "concurrency": {"least": 2, "most": 40, "tolerance": 1.5, "window_ms": 200, "measure_ms": 10_000},
        "shedding": {"lag_ms": 20, "spared": {"name": "x-priority", "value": "high"}},
    }
    assert gate(tmp_path, "api-1", **spec) == Gate(), "the caller's proxy refuses nothing"


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    found = gate(tmp_path, "cart-1", rateLimit={"requests": 50, "by": {"source": True}}, concurrency={})
    assert found.model_dump(exclude_none=True) == {
        "rate_limit": {"requests": 50, "per_ms": 1_000, "burst": 50, "by": {"kind": "source"}, "keys": 1_000},
        "concurrency": {"least": 5, "most": 1_000, "tolerance": 2.0, "window_ms": 100, "measure_ms": 30_000},
    }


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"rateLimit": {}}, "spec.rateLimit.requests"),
        ({"rateLimit": {"requests": 1, "by": {}}}, "spec.rateLimit.by: expected one of header or source: true"),
        ({"rateLimit": {"request": 1}}, "spec.rateLimit.request: unknown key; did you mean requests?"),
        ({"concurrency": {"min": 9, "max": 8}}, "spec.concurrency: min cannot be more than max"),
        ({"concurrency": {"tolerance": 1}}, "spec.concurrency.tolerance"),
        ({"shedding": {"lag": "1ms"}}, "spec.shedding.lag"),
        ({"shedding": {"lag": "1s", "spared": {"header": "x"}}}, "spec.shedding.spared.value"),
    ],
)
def test_a_mistake_is_refused_with_its_place(tmp_path: Path, spec: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigRefused) as refused:
        gate(tmp_path, "cart-1", **spec)
    assert told in str(refused.value)
