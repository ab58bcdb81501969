"""What is written and what registered, made one registry: what is written comes first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proxy.control.compile import compile_snapshot
from proxy.control.configuration import Configuration
from proxy.control.discovery.assemble import Discovered, assemble
from proxy.control.discovery.instance import Registration
from proxy.control.discovery.kept import KeptRegistrations
from proxy.control.epochs.changes import changes_between
from proxy.control.errors import ConfigRefused
from proxy.control.reading.read import load
from tests.world import meshes

FRONT = meshes.endpoint("front-1", sidecar=meshes.sidecar(1, 2, 3))
GATE = meshes.gateway("edge", meshes.listener("web", 9_000), addresses=[{"type": "IPAddress", "value": "10.0.0.1"}])


def joins(instance: str = "cart-7", app: str = "10.0.0.7:8080", service: str = "cart", **more: Any) -> Registration:
    return Registration.model_validate({"service": service, "instance": instance, "app": app, **more})


@pytest.fixture
def written(tmp_path: Path) -> Configuration:
    services = (meshes.service("front", FRONT), meshes.service("cart", meshes.endpoint("cart-1", 18_002)))
    return load(meshes.write(tmp_path / "mesh.yaml", *services, GATE))


def instances(written: Configuration, *registrations: Registration) -> dict[str, list[str]]:
    """Instances by service, as callers are told of them."""
    registry = assemble(written, Discovered(registrations)).registry
    called = compile_snapshot(registry, "front-1", 1).workloads[0].services
    return {service.name: [endpoint.instance for endpoint in service.endpoints] for service in called}


def test_a_registered_instance_is_one_of_its_service(written: Configuration) -> None:
    assert instances(written, joins(version="v2")) == {"front": ["front-1"], "cart": ["cart-1", "cart-7"]}
    before = assemble(written, Discovered()).registry
    after = assemble(written, Discovered((joins(version="v2"),))).registry
    assert [(change.kind, change.summary) for change in changes_between(before, after)] == [
        ("rollout", "cart now serves v1, v2 (before: v1)"),
        ("scale", "cart-7 (v2) joined cart"),
    ]


def test_a_registered_sidecar_gets_a_snapshot_of_its_own(written: Configuration) -> None:
    sidecar = {"inbound": "10.0.0.7:15006", "outbound": "127.0.0.1:15001", "admin": "127.0.0.1:15020"}
    made = assemble(written, Discovered((joins(app="127.0.0.1:8080", sidecar=sidecar),)))
    snapshot = compile_snapshot(made.registry, "cart-7", 1)
    assert snapshot.workloads[0].node.service == "cart"
    assert made.refused == {}


def test_loopback_of_two_machines_is_not_one_address(written: Configuration) -> None:
    def sidecar(host: str) -> dict[str, str]:
        return {"inbound": f"{host}:15006", "outbound": "127.0.0.1:15001", "admin": "127.0.0.1:15020"}

    def at(number: int, machine: str) -> Registration:
        return joins(f"cart-{number}", "127.0.0.1:8080", host=machine, sidecar=sidecar(f"10.0.0.{number}"))

    assert assemble(written, Discovered((at(7, "a"), at(8, "b")))).refused == {}
    assert "127.0.0.1:15001 of a" in assemble(written, Discovered((at(7, "a"), at(8, "a")))).refused["cart-8"]


@pytest.mark.parametrize(
    ("registration", "why"),
    [
        (joins(service="basket"), "no Service basket is in the configuration; known: front, cart"),
        (joins("cart-1"), "cart-1 is the name of another instance"),
        (joins("edge"), "edge is the name of another instance, a node or a Gateway"),
        (joins(app="127.0.0.1:2"), "address 127.0.0.1:2 belongs to a proxy already"),
        (joins(app="10.0.0.1:9000"), "address 10.0.0.1:9000 belongs to a proxy already"),
        (joins(sidecar=meshes.sidecar(3, 4, 5)), "address 127.0.0.1:3 belongs to something else"),
        (joins(sidecar=meshes.sidecar(18_002, 4, 5)), "address 127.0.0.1:18002 belongs to something else"),
        (joins(sidecar=meshes.sidecar(4, 4, 5)), "have to differ"),
    ],
)
def test_who_would_be_in_the_way_is_left_out_and_told_why(
    written: Configuration, registration: Registration, why: str
) -> None:
    made = assemble(written, Discovered((registration, joins("cart-9", "10.0.0.9:80"))))
    assert why in made.refused[registration.instance]
    assert [e.instance for s, e in made.registry.instances() if s.full_name == "cart"] == ["cart-1", "cart-9"]


def test_the_second_of_two_that_claim_one_address_is_left_out(written: Configuration) -> None:
    first, second = (joins(f"cart-{n}", f"10.0.0.{n}:80", sidecar=meshes.sidecar(4, 5, 6)) for n in (7, 8))
    assert list(assemble(written, Discovered((first, second))).refused) == ["cart-8"]


def test_a_mistake_in_what_is_written_is_still_one(tmp_path: Path) -> None:
    twice = load(meshes.write(tmp_path / "mesh.yaml", meshes.service("front", FRONT, FRONT)))
    with pytest.raises(ConfigRefused, match="instance front-1 is claimed twice"):
        assemble(twice, Discovered((joins(),)))


def test_registrations_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "state" / "instances.sqlite"
    sidecar = {"inbound": "10.0.0.7:15006", "outbound": "127.0.0.1:15001", "admin": "127.0.0.1:15020"}
    whole = joins(version="v2", zone="a", host="box", sidecar=sidecar, lease="1m30s", address="10.1.0.7:1")
    kept = KeptRegistrations(path)
    for one in (whole, joins("cart-8"), joins("cart-9"), whole.model_copy(update={"version": "v3"})):
        kept.keep(one)
    kept.forget(["cart-8"])
    kept.close()
    again = KeptRegistrations(path)
    assert again.all() == [whole.model_copy(update={"version": "v3"}), joins("cart-9")]
    again.close()


@pytest.mark.parametrize("content", [b"not a database, but long enough to be taken for one" * 20, None])
def test_a_file_of_something_else_is_refused_by_name(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "instances.sqlite"
    if content:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"instances\.sqlite: .*; remove it"):
            KeptRegistrations(path)
        return
    kept = KeptRegistrations(path)
    kept._rows.execute("INSERT INTO instances VALUES ('a', '{}')")
    with pytest.raises(ValueError, match=r"instances\.sqlite: not what this control plane wrote"):
        kept.all()
    kept.close()
