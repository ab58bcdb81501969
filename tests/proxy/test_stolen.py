"""What a thief finds who copies the disks of a control plane and of a proxy: nothing that signs for anybody."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from proxy._engine import Key
from proxy.control.authority.authority import Authority
from proxy.control.authority.errors import LedgerUnusable
from proxy.control.authority.ledger import Ledger
from tests.world.processes import until
from tests.world.secured_mesh import SecuredMesh

PKCS8_P256 = bytes.fromhex("308187020100301306072a8648ce3d020106082a8648ce3d030107")
"""How every private key on P-256 begins in DER (RFC 5958)."""
KEPT = "back-1.back.identity.json"
CLEAR = (b"PRIVATE KEY", PKCS8_P256, base64.b64encode(PKCS8_P256))


@pytest.fixture
def mesh(tmp_path: Path) -> SecuredMesh:
    mesh = SecuredMesh(tmp_path, 1)
    mesh.write(mtls="strict", authority={})
    return mesh


def keys_of(folder: Path, secret: bytes | None) -> list[EllipticCurvePrivateKey]:
    """What signs, as whoever has the secret reads it."""
    with contextlib.closing(Ledger(folder / "authority", None, secret, make=False)) as ledger:
        signers = Authority(ledger, ledger.domain, ledger.terms(), datetime.now(UTC)).signers
        kept = [one.key for one in (*signers.roots.values(), *signers.issuers)]
    return [key for key in kept if isinstance(key, EllipticCurvePrivateKey)]


def forms(key: EllipticCurvePrivateKey) -> Iterator[bytes]:
    """A private key as it may lie on a disk: whole in either encoding, or the number alone in any spelling."""
    yield key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    yield key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    number = key.private_numbers().private_value.to_bytes(32, "big")
    yield from (number, number[::-1], number.hex().encode(), base64.b64encode(number))


def found(folder: Path, *sought: bytes) -> list[str]:
    """The files that have any of these."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [path.name for path in files if any(one in path.read_bytes() for one in sought)]


def test_keys_that_were_in_the_clear_are_nowhere_once_they_are_sealed(mesh: SecuredMesh, tmp_path: Path) -> None:
    with mesh.start_control() as control:
        control.ready(f"{mesh.url}/readyz")
        keys = keys_of(mesh.folder / "state", None)
        sought = [form for key in keys for form in forms(key)]
        assert len(keys) == 2
        assert found(mesh.folder / "state", *sought), "this test can tell"
        control.kill()
    mesh.secret = tmp_path / "secret"
    mesh.secret.write_text("correct horse battery staple")
    with mesh.start_control() as control:
        control.ready(f"{mesh.url}/readyz")
        with mesh.start_proxy("back-1"):
            until((mesh.folder / "proxies" / KEPT).exists, "a certificate to be kept")
            stolen = tmp_path / "stolen"
            shutil.copytree(mesh.folder / "state", stolen / "state")
            shutil.copytree(mesh.folder / "proxies", stolen / "proxies", ignore=shutil.ignore_patterns("*.successor"))
    assert found(stolen, *sought, *CLEAR) == []
    secret = mesh.secret.read_bytes()
    opened = [key.private_numbers() for key in keys_of(stolen / "state", secret)]
    assert opened == [key.private_numbers() for key in keys]
    with pytest.raises(LedgerUnusable, match=r"its keys are sealed; give the secret with --ca-secret FILE"):
        keys_of(stolen / "state", None)
    sealed = base64.b64decode(json.loads((stolen / "proxies" / KEPT).read_text())["key"])
    with pytest.raises(ValueError, match="the secret is another one"):
        Key.unseal(sealed, b"a guess")
    assert Key.unseal(sealed, (mesh.folder / "node.key").read_bytes().strip()).csr([])
    mesh.secret.write_text("wrong horse")
    with mesh.start_control() as refused:
        assert refused.wait() != 0
        assert "is sealed by another secret than the one given; give that one with --ca-secret FILE" in refused.output()
