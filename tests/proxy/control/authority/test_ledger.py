"""What an authority remembers: after a restart, sealed, and only for the mesh it belongs to."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_private_key

from proxy.control.authority.authority import Authority
from proxy.control.authority.errors import LedgerUnusable
from proxy.control.authority.ledger import FILE, Ledger
from proxy.control.authority.terms import Terms

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
KEY = ec.generate_private_key(ec.SECP256R1()).public_key()


def authority(folder: Path, secret: bytes | None = None) -> Authority:
    return Authority(Ledger(folder, "mesh.local", secret), "mesh.local", Terms(), NOW)


def keys(folder: Path) -> list[bytes]:
    """The private keys as they are on disk, seen by whoever stole it."""
    raw = (folder / FILE).read_bytes() + (folder / f"{FILE}-wal").read_bytes()
    starts = [place for place in range(len(raw)) if raw.startswith(b"\x30\x81\x87\x02\x01\x00\x30\x13", place)]
    return [raw[place : place + 138] for place in starts]


@pytest.mark.parametrize("secret", [None, b"correct horse"])
def test_a_restart_changes_nothing(tmp_path: Path, secret: bytes | None) -> None:
    first = authority(tmp_path, secret)
    second = authority(tmp_path, secret)
    assert first.bundle() == second.bundle()
    made = [one.issue("a-1", "spiffe://mesh.local/ns/default/sa/a", KEY, NOW) for one in (first, second)]
    assert made[0].chain[1:] == made[1].chain[1:]
    assert made[0].serial != made[1].serial


def test_sealed_keys_are_no_use_to_a_thief(tmp_path: Path) -> None:
    authority(tmp_path / "open")
    assert load_der_private_key(keys(tmp_path / "open")[0], None), "this test can tell"
    authority(tmp_path / "sealed", b"correct horse")
    assert keys(tmp_path / "sealed") == []


def test_keys_can_be_sealed_later(tmp_path: Path) -> None:
    first = authority(tmp_path)
    assert keys(tmp_path)
    bundle = first.bundle()
    first.ledger.close()
    sealed = authority(tmp_path, b"correct horse")
    sealed.ledger.close()
    assert b"\x30\x81\x87\x02\x01\x00\x30\x13" not in (tmp_path / FILE).read_bytes()
    assert authority(tmp_path, b"correct horse").bundle() == bundle


@pytest.mark.parametrize(("secret", "said"), [(None, "its keys are sealed"), (b"wrong", "sealed by another secret")])
def test_without_the_secret_there_is_no_authority(tmp_path: Path, secret: bytes | None, said: str) -> None:
    authority(tmp_path, b"correct horse")
    with pytest.raises(LedgerUnusable, match=said):
        Ledger(tmp_path, "mesh.local", secret)


def test_another_mesh_is_told_whose_it_is(tmp_path: Path) -> None:
    authority(tmp_path)
    with pytest.raises(LedgerUnusable, match=r"belongs to the trust domain mesh\.local, but the mesh is other\.local"):
        Ledger(tmp_path, "other.local")


def test_a_file_that_is_no_ledger_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"not a database, but as long as one" * 100)
    with pytest.raises(LedgerUnusable, match="not a ledger"):
        Ledger(tmp_path, "mesh.local")


def test_only_its_user_may_read_it(tmp_path: Path) -> None:
    authority(tmp_path / "state")
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "state" / FILE).stat().st_mode) == 0o600


def test_two_that_begin_at_once_have_one_root(tmp_path: Path) -> None:
    first, second = Ledger(tmp_path, "mesh.local"), Ledger(tmp_path, "mesh.local")
    bundles = {Authority(one, "mesh.local", Terms(), NOW).bundle() for one in (first, second)}
    assert len(bundles) == 1
