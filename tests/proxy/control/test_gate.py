"""What a TrafficPolicy says of requests that arrive reaches the proxies beside its service, and only those."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proxy.control.compile import compile_snapshot
from proxy.control.errors import ConfigRefused
from proxy.control.reading.read import load
from proxy.control.registry import register
from proxy.snapshot.gate import Concurrency, Gate
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
    (workload,) = made.workloads
    assert workload.inbound
    return workload.inbound.gate


HEALTH = {"path": {"type": "Exact", "value": "/healthz"}, "method": "GET"}
BATCH = {"headers": [{"name": "X-Kind", "value": "batch"}]}


def test_everything_is_carried_over(tmp_path: Path) -> None:
    spec: dict[str, Any] = {
        "rateLimits": [
            {
                "name": "users",
                "matches": [{"path": {"value": "/search/"}}],
                "requests": 50,
                "per": "1m",
                "burst": 9,
                "by": {"header": "X-User"},
                "keys": 20,
                "overrides": [{"value": "crawler", "requests": 3, "per": "1h"}],
            },
            {"requests": 500},
        ],
        "concurrency": {"min": 2, "max": 40, "tolerance": 1.5, "window": "200ms", "measure": "10s"},
        "shedding": {"lag": "20ms"},
        "priority": {"spared": [HEALTH], "expendable": [BATCH]},
    }
    assert gate(tmp_path, "cart-1", **spec).model_dump(mode="json", exclude_defaults=True) == {
        "rate_limits": [
            {
                "name": "users",
                "matches": [{"path": {"kind": "prefix", "value": "/search"}}],
                "rate": {"requests": 50, "per_ms": 60_000, "burst": 9},
                "by": {"kind": "header", "name": "x-user"},
                "keys": 20,
                "own": [{"key": "crawler", "rate": {"requests": 3, "per_ms": 3_600_000, "burst": 3}}],
            },
            {"name": "1", "rate": {"requests": 500, "burst": 500}},
        ],
        "concurrency": {"least": 2, "most": 40, "tolerance": 1.5, "window_ms": 200, "measure_ms": 10_000},
        "shedding": {"lag_ms": 20},
        "priority": {
            "spared": [{"path": {"kind": "exact", "value": "/healthz"}, "method": "GET"}],
            "expendable": [{"headers": [{"name": "x-kind", "value": "batch"}]}],
        },
    }
    assert gate(tmp_path, "api-1", **spec) == Gate(), "the caller's proxy refuses nothing"


def test_an_empty_section_switches_its_defaults_on(tmp_path: Path) -> None:
    assert gate(tmp_path, "cart-1", concurrency={}).concurrency == Concurrency()


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"rateLimits": [{}]}, "spec.rateLimits[0].requests"),
        ({"rateLimits": [{"requests": 1, "by": {}}]}, "spec.rateLimits[0].by: expected one of header or source: true"),
        ({"rateLimits": [{"request": 1}]}, "spec.rateLimits[0].request: unknown key; did you mean requests?"),
        (
            {"rateLimits": [{"requests": 1, "overrides": [{"value": "a", "requests": 2}]}]},
            "spec.rateLimits[0]: overrides: say by what callers are told apart (by)",
        ),
        (
            {"rateLimits": [{"requests": 1, "matches": [{"path": {"value": "a"}}]}]},
            "spec.rateLimits[0].matches[0].path",
        ),
        ({"concurrency": {"min": 9, "max": 8}}, "spec.concurrency: min cannot be more than max"),
        ({"concurrency": {"tolerance": 1}}, "spec.concurrency.tolerance"),
        ({"shedding": {"lag": "1ms"}}, "spec.shedding.lag"),
        ({"priority": {"spared": ["/healthz"]}}, "spec.priority.spared[0]"),
    ],
)
def test_a_mistake_is_refused_with_its_place(tmp_path: Path, spec: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigRefused) as refused:
        gate(tmp_path, "cart-1", **spec)
    assert told in str(refused.value)
