"""Engine and Python agree: on what a snapshot is, on the reasons there are, and on what spans may carry."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from proxy import _engine
from proxy.snapshot import Snapshot
from tests.world.identities import Issuer

ROOT = Path(__file__).parents[2]

names = st.from_regex(r"\A[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?\Z")
labels = st.from_regex(r"\A[A-Za-z0-9]([A-Za-z0-9._-]{0,20})?\Z")
ports = st.integers(1, 65_535)
addresses = st.builds("{}:{}".format, st.sampled_from(["127.0.0.1", "[::1]", "localhost", "pay.svc.local"]), ports)
sockets = st.from_regex(r"\Aunix:/[a-z/.]{0,106}\Z")
positive = st.integers(1, 10**9)
endpoints = st.fixed_dictionaries(
    {"address": addresses, "version": labels, "instance": names}, optional={"zone": st.none() | labels}
)


@st.composite
def snapshots(draw: st.DrawFn) -> dict[str, Any]:
    """Any snapshot the models allow, with optional parts present or not."""
    inbound = st.fixed_dictionaries(
        {"listen": st.just("127.0.0.1:1"), "app": sockets | addresses.filter(lambda at: at != "127.0.0.1:1")},
        optional={
            "protocol": st.sampled_from(["http1", "http2", "tcp", "tls", "detect"]),
            "timeout_ms": positive,
            "connect_timeout_ms": positive,
        },
    )
    upstream = st.fixed_dictionaries(
        {"endpoints": st.lists(endpoints, max_size=3)},
        optional={
            "protocol": st.sampled_from(["http1", "http2", "tcp", "tls", "detect"]),
            "timeout_ms": positive,
            "connect_attempts": st.integers(1, 10),
        },
    )
    services = [
        {"name": name, "authorities": [name, f"{name}:{draw(ports)}"], **draw(upstream)}
        for name in draw(st.lists(names, unique=True, max_size=3))
    ]
    node = st.fixed_dictionaries(
        {"service": names, "version": labels, "instance": names},
        optional={"namespace": names, "zone": st.none() | labels},
    )
    host = st.fixed_dictionaries({}, optional={"host": st.none() | names | names.map("*.{}".format)})
    door = st.fixed_dictionaries({"listen": st.just("127.0.0.1:3"), "hosts": st.lists(host, max_size=3)})
    gateway = st.fixed_dictionaries(
        {"doors": st.tuples(door)},
        optional={"trace": st.sampled_from(["restart", "continue"]), "trusted_hops": st.integers(0, 32)},
    )
    workload = st.fixed_dictionaries(
        {"node": node},
        optional={
            "inbound": st.none() | inbound,
            "outbound": st.none() | st.fixed_dictionaries({"listen": st.just("127.0.0.1:2")}),
            "gateway": st.none() | gateway,
            "services": st.just(services),
        },
    )
    whole = st.fixed_dictionaries(
        {
            "epoch": positive,
            "workloads": st.tuples(workload),
        },
        optional={
            "telemetry": st.fixed_dictionaries(
                {"endpoint": st.sampled_from(["", "http://127.0.0.1:4318/v1/traces"])},
                optional={
                    "protocol": st.sampled_from(["http", "grpc"]),
                    "compression": st.sampled_from(["none", "gzip", "zstd"]),
                    "queue_records": st.integers(1_024, 4_194_304),
                    "batch_records": st.integers(1, 65_536),
                    "batch_bytes": st.integers(10_000, 60_000_000),
                    "spool_bytes": st.just(0) | st.integers(1 << 20, 1 << 40),
                    "budget_bytes": st.just(0) | st.integers(10_000, 1 << 40),
                    "mode": st.sampled_from(["all", "recorder"]),
                    "b3": st.sampled_from(["none", "single", "multi", "both"]),
                    "request_id": st.none() | st.sampled_from(["x-request-id", "x-correlation-id"]),
                    "ring_bytes": st.just(0) | st.integers(65_536, 1 << 32),
                    "slow_ms": st.integers(0, 86_400_000),
                    "flush_ms": st.integers(10, 60_000),
                    "log": st.fixed_dictionaries({}, optional={"stdout": st.booleans(), "otlp": st.booleans()}),
                },
            ),
            "limits": st.fixed_dictionaries(
                {},
                optional={
                    "connections_per_client": st.none() | positive,
                    "streams": st.integers(1, 2**31 - 1),
                    "control_frames": st.integers(10, 10**6),
                    "header_bytes": st.integers(8_192, 10**6),
                    "headers": st.integers(16, 10_000),
                    "uri_bytes": st.integers(256, 65_534),
                    "body_bytes": st.none() | st.integers(0, 2**63),
                    "half_close_timeout_ms": st.integers(0, 10**9),
                    "pool_idle_per_endpoint": st.integers(0, 99),
                },
            ),
        },
    )
    return draw(whole)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(snapshots())
def test_what_the_models_allow_the_engine_serves(values: dict[str, Any]) -> None:
    snapshot = Snapshot.model_validate(values)
    assert _engine.check(snapshot.model_dump_json()) == snapshot.epoch
    assert _engine.check(json.dumps(values)) == snapshot.epoch, "both sides have the same defaults or fewer fields"


BACKEND = {"service": "pay", "version": "v1", "weight": 1}


def route(**parts: Any) -> dict[str, Any]:
    lists: dict[str, Any] = {name: [] for name in ("headers", "query", "mirrors", "backends")}
    none = ("path", "method", "request_headers", "response_headers", "redirect", "rewrite", "answer", "sticky")
    return {"name": "r", **dict.fromkeys((*none, "timeout_ms", "attempt_timeout_ms", "retry")), **lists, **parts}


OPEN: dict[str, Any] = {"spared": [], "expendable": []}
ACCESS_RULE = {
    "name": "p/a",
    "callers": ["spiffe://mesh.local/ns/*/sa/a", "*"],
    "matches": [{"path": {"kind": "template", "value": "/a/{id}"}, "method": "GET", "headers": [], "query": []}],
    "ports": [80],
    "claims": [{"name": "roles", "values": ["adm*"]}],
}
AUTHORIZATION = {
    "service": "front",
    "ports": [80],
    "believed": "mesh.local",
    "policies": [{"name": "p", "action": "deny", "audit": True, "rules": [ACCESS_RULE]}],
    "tokens": {
        "required": True,
        "issuers": [
            {
                "issuer": "a",
                "audiences": ["b"],
                "jwks": '{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}',
                "leeway_s": 1,
                "header": "x-token",
                "forward": False,
                "claim_headers": [["x-user", "sub"]],
            }
        ],
    },
}
ASKED = {"path": {"kind": "prefix", "value": "/a"}, "method": "GET", "headers": [], "query": []}

ISSUER = Issuer()

WHOLE: dict[str, Any] = {
    "epoch": 1,
    "workloads": [
        {
            "node": {"service": "front", "version": "v1", "instance": "front-1", "namespace": "default", "zone": "a"},
            "identity": "spiffe://mesh.local/ns/default/sa/front",
            "inbound": {
                "listen": "127.0.0.1:1",
                "app": "127.0.0.1:2",
                "protocol": "http1",
                "connect_timeout_ms": 1,
                "timeout_ms": 1,
                "transparent": True,
                "tls": "permissive",
                "gate": {
                    "rate_limits": [
                        {
                            "name": "a",
                            "matches": [ASKED],
                            "rate": {"requests": 1, "per_ms": 1, "burst": 1},
                            "by": {"kind": "header", "name": "x-a"},
                            "keys": 1,
                            "own": [{"key": "a", "rate": {"requests": 1, "per_ms": 1, "burst": 1}}],
                        }
                    ],
                    "concurrency": {"least": 1, "most": 1, "tolerance": 2.0, "window_ms": 10, "measure_ms": 1_000},
                    "shedding": {"lag_ms": 5},
                    "priority": {"spared": [ASKED], "expendable": [ASKED]},
                },
            },
            "outbound": {
                "listen": "127.0.0.1:3",
                "listeners": [{"listen": "127.0.0.1:5", "service": "pay"}, {"listen": "[::1]:6", "service": None}],
                "connect": ["pay"],
                "transparent": True,
                "outside": "deny",
            },
            "authorization": AUTHORIZATION,
            "gateway": {
                "doors": [
                    {
                        "listen": "127.0.0.1:7",
                        "hosts": [{"host": "*.example.com", "routes": [route(backends=[BACKEND])]}],
                        "certificates": [{"host": "*.example.com", "certificate": "/a.pem", "key": "/a.key"}],
                    }
                ],
                "callers": "mesh",
                "trace": "continue",
                "trusted_hops": 1,
                "gate": {"rate_limits": [], "concurrency": None, "shedding": None, "priority": OPEN},
            },
            "services": [
                {
                    "name": "pay",
                    "authorities": ["pay"],
                    "protocol": "http1",
                    "connect_timeout_ms": 1,
                    "timeout_ms": 1,
                    "server_names": ["pay.example.com", "*.pay.example.com"],
                    "addresses": ["10.0.0.1:80", "[fd00::1]:80"],
                    "connect_attempts": 1,
                    "endpoints": [{"address": "127.0.0.1:4", "version": "v1", "instance": "pay-1", "zone": "b"}],
                    "policy": {
                        "balancer": {
                            "kind": "hash",
                            "hash_on": {"kind": "header", "name": "x-a"},
                            "slow_start_ms": 1,
                            "zone_percent": 1,
                        },
                        "outlier": {
                            "consecutive": 1,
                            "success_rate": True,
                            "latency_factor": 2.0,
                            "interval_ms": 1,
                            "least_requests": 1,
                            "ejection_ms": 1,
                            "most_ejected": 1,
                            "panic": 1,
                        },
                        "breaker": {"requests": 1, "pending": 1, "connections": 1},
                        "hedge": {"after_ms": 1},
                        "retry": {
                            "attempts": 1,
                            "on": ["5xx"],
                            "statuses": [503],
                            "backoff_ms": 1,
                            "backoff_max_ms": 1,
                            "budget_percent": 1,
                            "budget_per_s": 1,
                            "body_bytes": 1,
                        },
                    },
                    "outside": True,
                    "identity": "spiffe://mesh.local/ns/default/sa/pay",
                    "tls": {"server_name": "pay.example.com", "roots": "/a", "certificate": "/b", "key": "/c"},
                    "faults": [
                        {
                            "name": "f/0",
                            "path": {"kind": "regex", "value": "/a"},
                            "method": "GET",
                            "headers": [{"name": "x-a", "kind": "exact", "value": "1"}],
                            "query": [{"name": "q", "kind": "exact", "value": "1"}],
                            "per_million": 1,
                            "delay_ms": 1,
                            "delay_jitter_ms": 1,
                            "abort": {"status": 503, "grpc_status": None, "reset": False},
                        }
                    ],
                    "routes": [
                        route(
                            path={"kind": "prefix", "value": "/a"},
                            method="GET",
                            headers=[{"name": "x-a", "kind": "exact", "value": "1"}],
                            query=[{"name": "q", "kind": "regex", "value": "1"}],
                            request_headers={"set": [["x-b", "1"]], "add": [["x-c", "1"]], "remove": ["x-d"]},
                            response_headers={"set": [], "add": [], "remove": []},
                            rewrite={"host": "other", "path": {"value": "/b", "prefix": "/a"}},
                            mirrors=[{"to": BACKEND, "per_million": 1}],
                            backends=[BACKEND],
                            sticky={"kind": "header", "name": "x-user", "given": True, "max_age_s": 1},
                            timeout_ms=1,
                            attempt_timeout_ms=1,
                            retry={"attempts": 1, "statuses": [500], "pause_ms": 1},
                        ),
                        route(redirect={"scheme": "https", "host": "a", "port": 1, "path": None, "status": 301}),
                        route(answer={"status": 200, "body": "", "content_type": "text/plain"}),
                    ],
                }
            ],
        }
    ],
    "telemetry": {
        "endpoint": "",
        "protocol": "http",
        "compression": "none",
        "queue_records": 1_024,
        "batch_records": 1,
        "batch_bytes": 10_000,
        "flush_ms": 10,
        "spool_bytes": 0,
        "budget_bytes": 0,
        "mode": "all",
        "ring_bytes": 0,
        "slow_ms": 0,
        "slow_adaptive": False,
        "b3": "none",
        "request_id": "x-request-id",
        "log": {"stdout": False, "otlp": False, "file": "/a", "errors": False, "slow_ms": 0},
    },
    "trust": ISSUER.trust("0a1B").model_dump(mode="json"),
    "limits": {
        "connections": 1,
        "connections_per_client": 1,
        "requests": 1,
        "streams": 1,
        "control_frames": 10,
        "header_bytes": 8_192,
        "headers": 16,
        "uri_bytes": 256,
        "body_bytes": 0,
        "header_timeout_ms": 1,
        "body_timeout_ms": 1,
        "body_progress_bytes": 0,
        "response_body_timeout_ms": 1,
        "reader_timeout_ms": 1,
        "half_close_timeout_ms": 0,
        "detect_timeout_ms": 1,
        "idle_timeout_ms": 1,
        "tunnel_idle_timeout_ms": 1,
        "pool_idle_per_endpoint": 0,
    },
}


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path of every field, containers included."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    below = [place for key, part in inside for place in places(part, (*path, key))]
    return [path, *below] if path else below


def changed(path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    whole: dict[str, Any] = json.loads(json.dumps(WHOLE))
    at(whole, path[:-1])[path[-1]] = value
    return whole


def at(value: Any, path: tuple[str | int, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def dotted(path: tuple[str | int, ...]) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).lstrip(".")


def test_the_example_has_every_field() -> None:
    assert Snapshot.model_validate(WHOLE).model_dump(mode="json") == WHOLE


@pytest.mark.parametrize("path", places(WHOLE), ids=dotted)
@pytest.mark.parametrize("value", [-1, 0, "", "\N{SNOWMAN}", "UPPER case", True, [], {"surplus": 1}, 10**30, 1.5])
def test_what_the_models_refuse_the_engine_refuses_and_names(path: tuple[str | int, ...], value: Any) -> None:
    whole = json.dumps(changed(path, value))
    try:
        Snapshot.model_validate_json(whole, strict=True)
    except ValidationError:
        with pytest.raises(_engine.SnapshotRefused) as refused:
            _engine.check(whole)
        assert str(refused.value).startswith(dotted(path)), "the message begins with the field"


PARTS = [(), *(path for path in places(WHOLE) if isinstance(at(WHOLE, path), dict))]


@pytest.mark.parametrize("path", PARTS, ids=dotted)
def test_an_unknown_field_is_refused(path: tuple[str | int, ...]) -> None:
    whole = json.loads(json.dumps(WHOLE))
    at(whole, path)["surplus"] = 1
    with pytest.raises(ValidationError):
        Snapshot.model_validate(whole)
    with pytest.raises(_engine.SnapshotRefused, match="surplus"):
        _engine.check(json.dumps(whole))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", json.dumps(WHOLE) + "x"])
def test_what_is_not_a_snapshot_is_refused(text: str) -> None:
    with pytest.raises(_engine.SnapshotRefused):
        _engine.check(text)


def test_every_reason_is_explained_and_no_other() -> None:
    text = (ROOT / "docs/reasons.md").read_text()
    sections = re.findall(r"^### `([a-z_]+)`\n\n(.+?)(?=^##|\Z)", text, re.M | re.S)
    assert sorted(code for code, _ in sections) == sorted(_engine.REASONS)
    for code, section in sections:
        for part in ("**Cause.**", "**Evidence.**", "**Next.**"):
            assert part in section, f"{code} has no {part}"


def test_the_stub_is_there_and_the_build_is_one_to_measure() -> None:
    assert (ROOT / "proxy/_engine.pyi").exists(), "without a stub stubtest says that all is well"
    assert _engine.BUILD_PROFILE == "release"
