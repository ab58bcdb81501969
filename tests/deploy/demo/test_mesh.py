"""The demo's mesh.yaml is one the control plane takes, with every port used once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from deploy.demo.mesh import first_instances, write
from deploy.demo.shop import RunningShop, next_instance
from deploy.demo.topology import SHOPS
from deploy.local.ports import Ports
from deploy.local.state import RunFolder
from proxy.control.documents.http_route import HttpRoute
from proxy.control.reading.read import load
from proxy.control.registry import register


def test_the_control_plane_takes_it(tmp_path: Path) -> None:
    path = tmp_path / "mesh.yaml"
    write(path, first_instances(), Ports(100))
    registry = register(load(path))
    assert [service.metadata.name for service in registry.services] == [shop.name for shop in SHOPS]
    ((_, second),) = registry.proxy("recommendations-2").instances
    assert second.version == "v2"
    assert second.sidecar is not None
    assert second.reachable_at not in {second.app, second.sidecar.inbound}
    assert str(registry.mesh.spec.telemetry.endpoint) == "http://127.0.0.1:4418/v1/traces"


def test_no_address_is_wanted_twice_whatever_the_offset(tmp_path: Path) -> None:
    for offset in (0, 1, 7, 100, 1000):
        shop = RunningShop(RunFolder(tmp_path), Ports(offset), 40, ui=True)
        wanted = [want.address for want in shop.wanted()]
        assert len(wanted) == len(set(wanted))


def test_a_bad_version_is_a_new_instance_at_a_place_of_its_own(tmp_path: Path) -> None:
    instances = first_instances()
    new = next_instance(instances, "recommendations", "latency_ms=300")
    assert (new.name, new.version) == ("recommendations-3", "v3")
    write(tmp_path / "mesh.yaml", [*instances, replace(new, serves=False)], Ports())
    (door,) = register(load(tmp_path / "mesh.yaml")).of(HttpRoute)
    assert door.metadata.name == "customers", "no route may name it before it serves"
    write(tmp_path / "mesh.yaml", [*instances, new], Ports())
    registry = register(load(tmp_path / "mesh.yaml"))
    ((_, endpoint),) = registry.proxy("recommendations-3").instances
    (route,) = (route for route in registry.of(HttpRoute) if route.metadata.name == "recommendations-rollout")
    (rule,) = route.spec.rules
    assert [(ref.name, ref.version, ref.weight) for ref in rule.backend_refs] == [
        ("recommendations", "v1", 1),
        ("recommendations", "v2", 1),
        ("recommendations", "v3", 1),
    ]
    assert endpoint.run is not None
    assert endpoint.run.env["FAULT"] == "latency_ms=300"
    assert new.place not in {instance.place for instance in instances}
