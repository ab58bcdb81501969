"""Who encrypts to whom, as a configuration says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from proxy.control.compile import compile_snapshot
from proxy.control.errors import ConfigRefused
from proxy.control.reading.read import load
from proxy.control.registry import register
from proxy.control.trust import Trust
from proxy.snapshot import Crl, Snapshot
from tests.world import meshes
from tests.world.identities import Issuer

PROXIED = meshes.endpoint("card-1", 18_002, sidecar=meshes.sidecar(1, 2, 3))
BARE = meshes.endpoint("card-2", 18_003)
OTHER = meshes.endpoint("shop-1", 18_004, sidecar=meshes.sidecar(4, 5, 6))
ROOT = Issuer("shop.example").trust().domains["shop.example"][0]


def compiled(
    tmp_path: Path, *endpoints: dict[str, Any], mtls: str, trusted: bool = True, own: str | None = None
) -> Snapshot:
    """What the proxy of `shop` gets in a mesh with a service `card`."""
    mesh = meshes.mesh(authority={}, mtls=mtls, trustDomain="shop.example")
    services = meshes.service("card", *endpoints, **({"mtls": own} if own else {})), meshes.service("shop", OTHER)
    made = register(load(meshes.write(tmp_path / "mesh.yaml", mesh, *services)))
    trust = Trust("shop.example", (ROOT,), (("issuer", "crl"),)) if trusted else None
    return compile_snapshot(replace(made, trust=trust), "shop-1", 2)


@pytest.mark.parametrize(
    ("mtls", "endpoints", "encrypts"),
    [
        ("off", [PROXIED], False),
        ("permissive", [PROXIED], True),
        ("permissive", [PROXIED, BARE], False),
        ("permissive", [BARE], False),
        ("strict", [PROXIED], True),
        ("strict", [PROXIED, BARE], True),
        ("strict", [BARE], False),
    ],
)
def test_callers_encrypt_to_those_who_can(
    tmp_path: Path, mtls: str, endpoints: list[dict[str, Any]], encrypts: bool
) -> None:
    snapshot = compiled(tmp_path, *endpoints, mtls=mtls)
    (workload,) = snapshot.workloads
    (card,) = (one for one in workload.services if one.name == "card")
    assert card.identity == ("spiffe://shop.example/ns/default/sa/card" if encrypts else None)
    assert workload.identity == "spiffe://shop.example/ns/default/sa/shop"
    assert workload.inbound is not None
    assert workload.inbound.tls == mtls
    assert snapshot.trust.domains == {"shop.example": (ROOT,)}
    assert snapshot.trust.crls == {"shop.example": (Crl(issuer="issuer", crl="crl"),)}


@pytest.mark.parametrize(
    ("mtls", "own", "encrypts"),
    [("strict", "off", False), ("off", "strict", True), ("permissive", "strict", True), ("strict", "permissive", True)],
)
def test_a_service_may_ask_for_more_or_less_than_the_mesh(tmp_path: Path, mtls: str, own: str, encrypts: bool) -> None:
    snapshot = compiled(tmp_path, PROXIED, mtls=mtls, own=own)
    (workload,) = snapshot.workloads
    (card,) = (one for one in workload.services if one.name == "card")
    assert (card.identity is not None) is encrypts
    assert workload.inbound is not None
    assert workload.inbound.tls == mtls, "the others ask for what they asked for"


def test_before_there_is_an_authority_nothing_is_asked(tmp_path: Path) -> None:
    snapshot = compiled(tmp_path, PROXIED, mtls="strict", trusted=False)
    (workload,) = snapshot.workloads
    assert workload.identity is None
    assert workload.inbound is not None
    assert workload.inbound.tls == "off"
    assert not snapshot.trust.domains


def test_a_service_that_asks_for_certificates_without_an_authority_is_a_mistake(tmp_path: Path) -> None:
    card = meshes.service("card", PROXIED, mtls="strict")
    with pytest.raises(ConfigRefused, match=r"Service card: spec\.mtls: nobody has a certificate"):
        register(load(meshes.write(tmp_path / "mesh.yaml", card)))


def test_encryption_without_an_authority_is_a_mistake(tmp_path: Path) -> None:
    mesh = meshes.mesh(mtls="strict")
    with pytest.raises(ConfigRefused, match="nobody has a certificate without"):
        load(meshes.write(tmp_path / "mesh.yaml", mesh, meshes.service("card", PROXIED)))
