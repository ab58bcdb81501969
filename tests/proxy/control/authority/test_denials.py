"""Who is denied is on a list that the very issuer signed, for as long as the certificate would have held."""

from __future__ import annotations

import base64
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from proxy import _engine
from proxy.control.authority.authority import Authority, Issued
from proxy.control.authority.denials import Denials
from proxy.control.authority.errors import NotPossible
from proxy.control.authority.imports import issuer_below
from proxy.control.authority.ledger import Ledger
from proxy.control.authority.rotation import Standing
from proxy.control.authority.spiffe import spiffe_id
from proxy.control.authority.terms import SKEW, Terms
from proxy.snapshot import Crl, Node, Snapshot, Trust, Workload
from tests.world.identities import Issuer

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
CARD = spiffe_id("mesh.local", "default", "card")
KEY = ec.generate_private_key(ec.SECP256R1()).public_key()


@pytest.fixture
def authority() -> Authority:
    return begun(Ledger(None, "mesh.local"))


def begun(ledger: Ledger, now: datetime = NOW) -> Authority:
    return Authority(ledger, "mesh.local", Terms(), now)


def issued(authority: Authority, proxy: str = "card-1", now: datetime = NOW) -> Issued:
    return authority.issue(proxy, CARD, KEY, now)


def listed(authority: Authority, now: datetime = NOW) -> set[str]:
    """The serials on all lists in force, once a proxy's engine has found each of them sound."""
    authority.lists.sign(now)
    told = authority.lists.told()
    if told:
        _engine.check(snapshot(authority).model_dump_json())
    crls = [x509.load_der_x509_crl(crl) for _, crl in told]
    return {f"{entry.serial_number:040x}" for crl in crls for entry in crl}


def snapshot(authority: Authority) -> Snapshot:
    """What a proxy is told of whom to trust."""
    crls = tuple(Crl(issuer=text(issuer), crl=text(crl)) for issuer, crl in authority.lists.told())
    roots = tuple(text(root) for root in authority.bundle())
    trust = Trust(domains={"mesh.local": roots}, crls={"mesh.local": crls})
    return Snapshot(epoch=1, workloads=(Workload(node=Node(service="a", version="v1", instance="a-1")),), trust=trust)


def text(der: bytes) -> str:
    return base64.b64encode(der).decode()


def named(*made: Issued) -> set[str]:
    return {one.serial.rjust(40, "0") for one in made}


@pytest.mark.parametrize("name", ["card-1", CARD, "serial"])
def test_by_serial_by_proxy_and_by_identity(authority: Authority, name: str) -> None:
    one, other = issued(authority), issued(authority, "card-2")
    Denials(authority.ledger).deny(one.serial.upper() if name == "serial" else name, "stolen", NOW)
    assert listed(authority) == (named(one, other) if name == CARD else named(one))
    (denial, *_) = authority.denials.every(NOW)
    assert (denial.identity, denial.reason, denial.since) == (CARD, "stolen", NOW)


def test_nobody_who_has_none_is_denied_and_the_sentence_says_what_would_be(authority: Authority) -> None:
    made = issued(authority)
    for name, now in (("nobody", NOW), (made.serial, NOW + 25 * HOUR)):
        with pytest.raises(NotPossible, match=r"neither the serial .* `whymesh ca revoke` is for tokens"):
            authority.denials.deny(name, "stolen", now)
    with pytest.raises(NotPossible, match=r"no certificate of card-1 is denied"):
        authority.denials.undo("card-1")


def test_a_list_is_signed_anew_only_when_another_is_denied_or_one_no_more(authority: Authority) -> None:
    one, other = issued(authority), issued(authority, "card-2", NOW + HOUR)
    authority.denials.deny(one.serial, "stolen", NOW)
    assert listed(authority) == named(one)
    first = authority.lists.told()
    assert listed(authority, NOW + HOUR) == named(one)
    assert authority.lists.told() == first
    authority.denials.deny(other.serial, "stolen", NOW)
    assert listed(authority) == named(one, other)
    (was,), (now,) = [[x509.load_der_x509_crl(crl) for _, crl in told] for told in (first, authority.lists.told())]
    assert number(now) == number(was) + 1, "within a second, too"
    authority.denials.undo(one.serial)
    assert listed(authority) == named(other)
    assert listed(authority, NOW + 25 * HOUR + SKEW - timedelta(seconds=1)) == named(other), (
        "for clocks that are behind"
    )
    assert listed(authority, NOW + 25 * HOUR + SKEW) == set()


def number(crl: x509.CertificateRevocationList) -> int:
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def test_who_signed_it_denies_it_after_a_rotation_and_then_forgets_its_key(authority: Authority) -> None:
    old = issued(authority)
    authority.rotation.replace_issuer(NOW)
    new = issued(authority)
    authority.denials.deny(CARD, "stolen", NOW)
    assert listed(authority) == named(old, new)
    assert len(authority.lists.told()) == 2, "one of each issuer"
    standing = Standing(acknowledged=frozenset({"card-1"}))
    authority.rotation.begin(NOW)
    authority.rotation.tend(NOW, standing)
    authority.refresh()
    assert listed(authority) == named(old, new), "the root before is still trusted"
    later = NOW + 24 * HOUR + SKEW
    authority.rotation.tend(later, standing)
    assert listed(authority, later) == set()
    keys = authority.ledger.sql.execute("SELECT count() FROM signers WHERE key IS NOT NULL AND state != 'active'")
    assert keys.fetchone()[0] == 0
    with pytest.raises(NotPossible, match="neither the serial of a valid"):
        authority.denials.deny(old.serial, "stolen", later)


def test_openssl_believes_the_list(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    authority = begun(Ledger(None, "mesh.local"), now)
    one, other = issued(authority, now=now), issued(authority, "card-2", now)
    authority.denials.deny(one.serial, "stolen", now)
    authority.lists.sign(now)
    ((issuer, crl),) = authority.lists.told()
    roots = [authority.bundle()[0], issuer]
    pems = [x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM) for der in roots]
    (tmp_path / "roots").write_bytes(b"".join(pems))
    (tmp_path / "crl").write_bytes(x509.load_der_x509_crl(crl).public_bytes(Encoding.PEM))
    for made, said in ((one, "certificate revoked"), (other, "OK")):
        leaf = x509.load_der_x509_certificate(made.chain[0])
        (tmp_path / "leaf").write_bytes(leaf.public_bytes(Encoding.PEM))
        files = ["-CAfile", tmp_path / "roots", "-CRLfile", tmp_path / "crl", tmp_path / "leaf"]
        ran = subprocess.run(["openssl", "verify", "-crl_check", *files], capture_output=True, text=True, check=False)
        assert said in ran.stdout + ran.stderr


def test_it_is_written_down_without_the_secret_and_signed_by_who_has_it(tmp_path: Path) -> None:
    made = issued(begun(Ledger(tmp_path, "mesh.local", b"correct horse")))
    without = Ledger(tmp_path, None, make=False, keys=False)
    assert Denials(without).deny("card-1", "stolen", NOW) == [made.serial]
    without.close()
    again = begun(Ledger(tmp_path, "mesh.local", b"correct horse"))
    assert listed(again) == named(made)


def test_an_issuer_that_may_not_sign_lists_is_not_brought_along(tmp_path: Path) -> None:
    root, below = Issuer(), Issuer()
    key = ec.generate_private_key(ec.SECP256R1())
    made = (
        x509.CertificateBuilder(root.certificate.subject, below.certificate.subject, key.public_key(), 1)
        .not_valid_before(datetime.now(UTC) - HOUR)
        .not_valid_after(datetime.now(UTC) + HOUR)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(only_certificates(), critical=True)
    )
    paths = [tmp_path / name for name in ("root.pem", "issuer.pem", "issuer.key")]
    signed = root.signs(made)
    paths[0].write_bytes(root.certificate.public_bytes(Encoding.PEM))
    paths[1].write_bytes(signed.public_bytes(Encoding.PEM))
    paths[2].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(NotPossible, match=r"issuer\.pem: may sign no lists of certificates that are denied"):
        issuer_below(*paths, None, datetime.now(UTC))


def only_certificates() -> x509.KeyUsage:
    others = ("digital_signature", "crl_sign", "content_commitment", "key_encipherment", "data_encipherment")
    off = dict.fromkeys((*others, "key_agreement", "encipher_only", "decipher_only"), False)
    return x509.KeyUsage(key_cert_sign=True, **off)


def test_a_ledger_of_a_version_before_lists_is_carried_over(tmp_path: Path) -> None:
    before = begun(Ledger(tmp_path, "mesh.local"))
    made = issued(before)
    before.ledger.sql.executescript(
        "DROP INDEX issued_by_issuer; ALTER TABLE issued DROP COLUMN issuer; DROP TABLE lists"
    )
    before.ledger.close()
    after = begun(Ledger(tmp_path, "mesh.local"))
    after.denials.deny(made.serial, "stolen", NOW)
    assert listed(after) == named(made)
