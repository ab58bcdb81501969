"""The registry compiled into one proxy's snapshot, and what changed between two registries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proxy.control.compile import compile_snapshot
from proxy.control.epochs.changes import changes_between
from proxy.control.errors import ConfigRefused, UnknownProxy
from proxy.control.reading.read import load
from proxy.control.registry import Registry, register
from proxy.snapshot import Limits, Telemetry
from proxy.snapshot.access_log import AccessLog
from tests.world import meshes

CARD = meshes.endpoint("card-1", 18_002, sidecar=meshes.sidecar(1, 2, 3))


def registry(tmp_path: Path, *documents: dict[str, Any]) -> Registry:
    return register(load(meshes.write(tmp_path / "mesh.yaml", *documents)))


def test_one_snapshot_has_both_sides_of_its_proxy_and_every_service(tmp_path: Path) -> None:
    relayed = CARD | {"instance": "card-2", "sidecar": meshes.sidecar(4, 5, 6), "address": "10.0.0.9:7"}
    plain = meshes.endpoint("old-1", 18_003)
    made = compile_snapshot(
        registry(tmp_path, meshes.service("card", CARD, relayed, timeout="3s"), meshes.service("old", plain)),
        "card-1",
        9,
    )
    (workload,) = made.workloads
    inbound, outbound = workload.inbound, workload.outbound
    assert (made.epoch, workload.node.service, workload.node.instance) == (9, "card", "card-1")
    assert inbound is not None
    assert (inbound.listen, inbound.app, inbound.timeout_ms) == ("127.0.0.1:1", "127.0.0.1:18002", 3000)
    assert outbound is not None
    assert outbound.listen == "127.0.0.1:2"
    reached = {e.instance: e.address for service in made.workloads[0].services for e in service.endpoints}
    assert reached == {"card-1": "127.0.0.1:1", "card-2": "10.0.0.9:7", "old-1": "127.0.0.1:18003"}


def test_authorities_say_what_callers_may_write(tmp_path: Path) -> None:
    made = compile_snapshot(
        registry(tmp_path, meshes.service("card", CARD), meshes.service("api", namespace="team", port=8080)),
        "card-1",
        1,
    )
    card, api = made.workloads[0].services
    assert card.authorities == (
        *("card", "card.default", "card.default.mesh"),
        *("card:80", "card.default:80", "card.default.mesh:80"),
    )
    assert api.authorities == ("api.team:8080", "api.team.mesh:8080")


def test_telemetry_is_handed_to_each_proxy(tmp_path: Path) -> None:
    mesh = meshes.mesh(
        telemetry={
            "protocol": "grpc",
            "compression": "zstd",
            "batch": {"records": 100, "size": "1MiB"},
            "spool": {"quota": "64MiB"},
            "budget": "10MiB",
        }
    )
    telemetry = compile_snapshot(registry(tmp_path, mesh, meshes.service("card", CARD)), "card-1", 1).telemetry
    assert (telemetry.endpoint, telemetry.protocol) == ("http://127.0.0.1:4317/", "grpc"), "the port for the protocol"
    assert (telemetry.compression, telemetry.batch_records, telemetry.batch_bytes) == ("zstd", 100, 1 << 20)
    assert (telemetry.spool_bytes, telemetry.budget_bytes) == (64 << 20, 10 << 20)


def test_a_service_may_have_other_telemetry_than_the_mesh(tmp_path: Path) -> None:
    def telemetry(instance: str, *documents: dict[str, Any]) -> Telemetry:
        api = meshes.endpoint("api-1", 18_009, sidecar=meshes.sidecar(4, 5, 6))
        services = (meshes.service("card", CARD), meshes.service("api", api))
        mesh = meshes.mesh(telemetry={"budget": "1MiB", "recorder": {"slow": "p99", "memory": "4MiB"}})
        return compile_snapshot(registry(tmp_path, mesh, *services, *documents), instance, 1).telemetry

    def own(name: str, **spec: Any) -> dict[str, Any]:
        return {"apiVersion": meshes.API_VERSION, "kind": "Telemetry", "metadata": {"name": name}, "spec": spec}

    card = own("t", targetRef={"name": "card"}, mode="recorder", recorder={"slow": "2s"})
    assert telemetry("api-1", card) == telemetry("api-1")
    changed = {"mode": "recorder", "slow_ms": 2_000, "slow_adaptive": False}
    assert telemetry("card-1", card) == telemetry("card-1").model_copy(update=changed)
    with pytest.raises(ConfigRefused, match="Telemetry of card is claimed twice: by t and by u"):
        telemetry("card-1", card, own("u", targetRef={"name": "card"}))
    with pytest.raises(ConfigRefused, match="there is no Service cart; did you mean card"):
        telemetry("card-1", own("t", targetRef={"name": "cart"}))


def test_telemetry_can_be_switched_off(tmp_path: Path) -> None:
    mesh = meshes.mesh(telemetry={"enabled": False})
    assert (
        compile_snapshot(registry(tmp_path, mesh, meshes.service("card", CARD)), "card-1", 1).telemetry.endpoint == ""
    )


def test_an_access_log_is_handed_to_each_proxy_and_a_service_may_have_its_own(tmp_path: Path) -> None:
    def log(**more: Any) -> AccessLog:
        mesh = meshes.mesh(telemetry={"accessLog": {"to": ["file"], "file": "/var/log/a", "only": ["slow"]}})
        own = {"apiVersion": meshes.API_VERSION, "kind": "Telemetry", "metadata": {"name": "t"}}
        spec = {"targetRef": {"name": "card"}, **more}
        documents = (mesh, meshes.service("card", CARD), {**own, "spec": spec})
        return compile_snapshot(registry(tmp_path, *documents), "card-1", 1).telemetry.log

    assert log() == AccessLog(file="/var/log/a", slow_ms=1_000)
    assert log(accessLog={"to": ["stdout"], "only": ["errors"]}) == AccessLog(stdout=True, errors=True)
    assert log(accessLog={"to": ["otlp", "stdout"]}) == AccessLog(otlp=True, stdout=True)
    assert log(accessLog={}) == AccessLog(), "nowhere"
    for wrong in (
        {"to": ["file"]},
        {"file": "/a"},
        {"to": ["file"], "file": "relative"},
        {"to": ["syslog"]},
        {"to": ["otlp"], "file": "/a"},
    ):
        with pytest.raises(ConfigRefused, match="accessLog"):
            log(accessLog=wrong)


def test_b3_is_chosen_for_the_mesh(tmp_path: Path) -> None:
    def b3(**telemetry: Any) -> str:
        documents = (meshes.mesh(telemetry=telemetry), meshes.service("card", CARD))
        return compile_snapshot(registry(tmp_path, *documents), "card-1", 1).telemetry.b3

    assert (b3(), b3(b3="multi")) == ("none", "multi")
    with pytest.raises(ConfigRefused, match="b3"):
        b3(b3="zipkin")


def test_an_instance_nobody_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownProxy, match="no sidecar of 'card-9' is in the configuration; known proxies: card-1"):
        compile_snapshot(registry(tmp_path, meshes.service("card", CARD)), "card-9", 1)


def test_instances_of_a_node_share_one_snapshot(tmp_path: Path) -> None:
    def on_edge(instance: str, ports: int, app: int) -> dict[str, Any]:
        sidecar = meshes.sidecar(ports, ports + 1, 99) | {"node": "edge-1"}
        return meshes.endpoint(instance, app, sidecar=sidecar)

    both = registry(
        tmp_path,
        meshes.service("card", on_edge("card-1", 10, 18_001)),
        meshes.service("cart", on_edge("cart-1", 20, 18_002)),
    )
    made = compile_snapshot(both, "edge-1", 1)
    assert [(w.node.service, w.inbound and w.inbound.listen) for w in made.workloads] == [
        ("card", "127.0.0.1:10"),
        ("cart", "127.0.0.1:20"),
    ]
    with pytest.raises(UnknownProxy, match="'cart-1' is carried by the proxy of node 'edge-1': use --node"):
        compile_snapshot(both, "cart-1", 1)


def test_a_node_exports_one_way(tmp_path: Path) -> None:
    own = {"apiVersion": meshes.API_VERSION, "kind": "Telemetry", "metadata": {"name": "t"}}
    spec = {"targetRef": {"name": "cart"}, "mode": "recorder"}
    first = meshes.endpoint("card-1", 18_001, sidecar=meshes.sidecar(1, 2, 3) | {"node": "edge-1"})
    second = meshes.endpoint("cart-1", 18_002, sidecar=meshes.sidecar(4, 5, 3) | {"node": "edge-1"})
    with pytest.raises(ConfigRefused, match=r"node edge-1: is one process and exports one way, but .* cart differs"):
        registry(tmp_path, meshes.service("card", first), meshes.service("cart", second), {**own, "spec": spec})


def test_a_node_is_one_process_with_a_name_of_its_own(tmp_path: Path) -> None:
    first = meshes.endpoint("card-1", 18_001, sidecar=meshes.sidecar(1, 2, 3) | {"node": "card-2"})
    second = meshes.endpoint("card-2", 18_002, sidecar=meshes.sidecar(4, 5, 6) | {"node": "card-2"})
    with pytest.raises(ConfigRefused) as refused:
        registry(tmp_path, meshes.service("card", first, second))
    assert refused.value.mistakes == [
        "node card-2: is the name of an instance too",
        "card-2.sidecar.admin: is 127.0.0.1:6, but node card-2 is one process and has 127.0.0.1:3",
    ]


def test_a_new_version_is_a_rollout_and_an_instance_more(tmp_path: Path) -> None:
    before = registry(tmp_path, meshes.service("card", CARD))
    fresh = meshes.endpoint("card-2", version="v2")
    after = registry(tmp_path, meshes.service("card", CARD, fresh))
    assert [(c.kind, c.before, c.after, c.summary) for c in changes_between(before, after)] == [
        ("rollout", "v1", "v1, v2", "card now serves v1, v2 (before: v1)"),
        ("scale", "", "v2", "card-2 (v2) joined card"),
    ]
    assert [c.summary for c in changes_between(after, before)] == [
        "card now serves v1 (before: v1, v2)",
        "card-2 (v2) left card",
    ]


def test_other_changes_name_what_they_touch(tmp_path: Path) -> None:
    before = registry(tmp_path, meshes.service("card", CARD), meshes.service("gone", meshes.endpoint("gone-1")))
    after = registry(
        tmp_path, meshes.mesh("renamed"), meshes.service("card", CARD | {"app": "127.0.0.1:9"}, timeout="1s")
    )
    assert [c.summary for c in changes_between(before, after)] == [
        "settings of card-1 changed",
        "settings of card changed",
        "gone now serves nothing (before: v1)",
        "gone-1 (v1) left gone",
        "settings of the whole mesh changed",
    ]
    assert changes_between(after, after) == []


def test_limits_of_the_mesh_reach_each_proxy(tmp_path: Path) -> None:
    spec = {
        "connections": 1,
        "connectionsPerClient": 2,
        "requests": 3,
        "streams": 4,
        "controlFrames": 50,
        "headerBytes": "16KiB",
        "headers": 60,
        "uriBytes": 700,
        "bodyBytes": "8MiB",
        "headerTimeout": "9s",
        "bodyTimeout": "10s",
        "bodyProgress": 11,
        "responseBodyTimeout": "12s",
        "readerTimeout": "13s",
        "halfCloseTimeout": "14s",
        "detectTimeout": "140ms",
        "idleTimeout": "15s",
        "tunnelIdleTimeout": "16s",
    }
    made = compile_snapshot(registry(tmp_path, meshes.mesh(limits=spec), meshes.service("card", CARD)), "card-1", 1)
    assert made.limits.model_dump() == {
        "connections": 1,
        "connections_per_client": 2,
        "requests": 3,
        "streams": 4,
        "control_frames": 50,
        "header_bytes": 16 << 10,
        "headers": 60,
        "uri_bytes": 700,
        "body_bytes": 8 << 20,
        "header_timeout_ms": 9_000,
        "body_timeout_ms": 10_000,
        "body_progress_bytes": 11,
        "response_body_timeout_ms": 12_000,
        "reader_timeout_ms": 13_000,
        "half_close_timeout_ms": 14_000,
        "detect_timeout_ms": 140,
        "idle_timeout_ms": 15_000,
        "tunnel_idle_timeout_ms": 16_000,
        "pool_idle_per_endpoint": 64,
    }


def test_a_mesh_without_limits_has_those_of_the_engine(tmp_path: Path) -> None:
    made = compile_snapshot(registry(tmp_path, meshes.service("card", CARD)), "card-1", 1)
    assert made.limits == Limits()


def test_ways_in_reach_the_proxies_that_have_them(tmp_path: Path) -> None:
    listeners = [{"listen": "127.0.0.1:5432", "service": "db"}, {"listen": "127.0.0.1:8443"}]
    beside = {**meshes.sidecar(1, 2, 3), "listeners": listeners, "transparent": True}
    made = compile_snapshot(
        registry(
            tmp_path,
            meshes.mesh(outbound={"connect": ["db"], "outside": "deny"}),
            meshes.service("card", {**CARD, "sidecar": beside}),
            meshes.service("db", protocol="tcp", addresses=["10.0.0.1:5432"]),
            meshes.service("web", protocol="tls", serverNames=["web.example.com"]),
        ),
        "card-1",
        1,
    )
    (workload,) = made.workloads
    assert workload.inbound
    assert workload.outbound
    assert workload.inbound.transparent
    assert workload.outbound.model_dump() == {
        "listen": "127.0.0.1:2",
        "listeners": ({"listen": "127.0.0.1:5432", "service": "db"}, {"listen": "127.0.0.1:8443", "service": None}),
        "connect": ("db",),
        "transparent": True,
        "outside": "deny",
    }
    _, db, web = workload.services
    assert (db.protocol, db.addresses, db.server_names) == ("tcp", ("10.0.0.1:5432",), ())
    assert web.server_names == ("web", "web.default", "web.default.mesh", "web.example.com")


def test_a_way_in_to_no_service_is_refused_with_its_place(tmp_path: Path) -> None:
    beside = {**meshes.sidecar(1, 2, 3), "listeners": [{"listen": "127.0.0.1:5432", "service": "wep"}]}
    with pytest.raises(ConfigRefused) as refused:
        registry(
            tmp_path,
            meshes.mesh(outbound={"connect": ["nobody"]}),
            meshes.service("card", {**CARD, "sidecar": beside}),
            meshes.service("db", protocol="tls", serverNames=["card.example.com"]),
            meshes.service("web", protocol="tls", serverNames=["card.example.com"]),
        )
    said = str(refused.value)
    assert "Mesh: spec.outbound.connect[0]: there is no Service nobody" in said
    assert "spec.endpoints[0].sidecar.listeners[0].service: there is no Service wep; did you mean web?" in said
    assert "server name card.example.com is claimed twice" in said
