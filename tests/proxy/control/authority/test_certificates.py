"""What the authority issues is what SPIFFE, RFC 5280 and openssl want it to be."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from proxy.control.authority.authority import Authority, Issued
from proxy.control.authority.ledger import Ledger
from proxy.control.authority.spiffe import spiffe_id
from proxy.control.authority.terms import SKEW, Terms

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
CARD = spiffe_id("mesh.local", "default", "card")


@pytest.fixture
def authority() -> Authority:
    return Authority(Ledger(None, "mesh.local"), "mesh.local", Terms(), NOW)


def issued(authority: Authority, now: datetime = NOW) -> Issued:
    return authority.issue("card-1", CARD, ec.generate_private_key(ec.SECP256R1()).public_key(), now)


def test_a_leaf_keeps_every_rule_for_svids(authority: Authority) -> None:
    leaf = x509.load_der_x509_certificate(issued(authority).chain[0])
    extensions = leaf.extensions
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.critical, "the subject is empty"
    assert [type(name) for name in names.value] == [x509.UniformResourceIdentifier]
    assert names.value.get_values_for_type(x509.UniformResourceIdentifier) == [CARD]
    basic = extensions.get_extension_for_class(x509.BasicConstraints).value
    assert not basic.ca
    usage = extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert {usage.value.key_cert_sign, usage.value.crl_sign} == {False}
    assert set(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == {
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.CLIENT_AUTH,
    }


def test_those_that_sign_have_no_path_and_cannot_authenticate(authority: Authority) -> None:
    for der, length in ((authority.bundle()[0], 1), (issued(authority).chain[1], 0)):
        extensions = x509.load_der_x509_certificate(der).extensions
        basic = extensions.get_extension_for_class(x509.BasicConstraints)
        assert (basic.critical, basic.value.ca, basic.value.path_length) == (True, True, length)
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
        assert (usage.key_cert_sign, usage.digital_signature) == (True, False)
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["spiffe://mesh.local"]


def test_lifetimes_are_as_configured_and_allow_for_clocks_that_are_behind(authority: Authority) -> None:
    made = issued(authority)
    leaf = x509.load_der_x509_certificate(made.chain[0])
    assert (leaf.not_valid_before_utc, leaf.not_valid_after_utc) == (NOW - SKEW, NOW + timedelta(hours=24))
    assert (made.not_after, made.renew_at) == (NOW + timedelta(hours=24), NOW + timedelta(hours=16))


def test_no_leaf_outlives_its_issuer(authority: Authority) -> None:
    end = authority.signers.issuer.ends
    assert issued(authority, end - timedelta(hours=1)).not_after == end


def test_openssl_believes_the_chain(authority: Authority, tmp_path: Path) -> None:
    authority = Authority(Ledger(None, "mesh.local"), "mesh.local", Terms(), datetime.now(UTC))
    leaf, issuer = issued(authority, datetime.now(UTC)).chain
    for name, certificate in (("leaf", leaf), ("issuer", issuer), ("root", authority.bundle()[0])):
        pem = x509.load_der_x509_certificate(certificate).public_bytes(Encoding.PEM)
        (tmp_path / name).write_bytes(pem)
    for purpose in ("sslserver", "sslclient"):
        command = ["openssl", "verify", "-x509_strict", "-purpose", purpose]
        chain = ["-CAfile", tmp_path / "root", "-untrusted", tmp_path / "issuer", tmp_path / "leaf"]
        ran = subprocess.run([*command, *chain], capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize(
    ("domain", "namespace", "service"),
    [("Mesh", "a", "b"), ("m:1", "a", "b"), ("", "a", "b"), ("m", "", "b"), ("m", "..", "b"), ("m", "a", "b/c")],
)
def test_what_spiffe_has_no_name_for(domain: str, namespace: str, service: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        spiffe_id(domain, namespace, service)


def test_a_name_has_an_end() -> None:
    with pytest.raises(ValueError, match="2048"):
        spiffe_id("mesh.local", "default", "a" * 2048)
