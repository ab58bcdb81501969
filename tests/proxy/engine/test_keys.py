"""Keys are made in the engine's memory, ask for certificates, and leave it sealed only."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from proxy._engine import Key
from tests.world.engines import sidecar
from tests.world.identities import Issuer, spiffe_id


def _public(csr: bytes) -> ec.EllipticCurvePublicKey:
    key = x509.load_der_x509_csr(csr).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key


def test_a_request_names_the_workload_and_is_signed_by_its_key() -> None:
    key = Key()
    asked = x509.load_der_x509_csr(key.csr([spiffe_id("pay")]))
    assert asked.is_signature_valid
    names = asked.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["spiffe://mesh.local/ns/default/sa/pay"]
    assert list(names) == [x509.UniformResourceIdentifier(spiffe_id("pay"))]
    _public(key.csr([])).verify(key.sign(b"it is me"), b"it is me", ec.ECDSA(hashes.SHA256()))


def test_a_sealed_key_opens_with_its_secret_only() -> None:
    key = Key()
    sealed = key.seal(b"a passphrase")
    assert _public(Key.unseal(sealed, b"a passphrase").csr([])) == _public(key.csr([]))
    with pytest.raises(ValueError, match="the secret is another one"):
        Key.unseal(sealed, b"another")
    with pytest.raises(ValueError, match="not a sealed key"):
        Key.unseal(b"nothing of the kind", b"a passphrase")


def _uris(*names: str) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([x509.UniformResourceIdentifier(name) for name in names])


def _leaf(names: x509.SubjectAlternativeName | None) -> Callable[[Issuer, Key], x509.Certificate]:
    return lambda issuer, key: issuer.sign(_public(key.csr([])), names)


def _for_servers_only(issuer: Issuer, key: Key) -> x509.Certificate:
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH]
    return issuer.sign(_public(key.csr([])), _uris(spiffe_id("pay")), purposes=purposes)


BROKEN: dict[str, Callable[[Issuer, Key], x509.Certificate]] = {
    "no URI name": _leaf(None),
    "more than one URI name": _leaf(_uris(spiffe_id("pay"), spiffe_id("shop"))),
    "not a SPIFFE id": _leaf(_uris("https://mesh.local/pay")),
    "another key": lambda issuer, _: _leaf(_uris(spiffe_id("pay")))(issuer, Key()),
    "no URI name, and": lambda issuer, _: issuer.certificate,
    "key usage": _for_servers_only,
}


@pytest.mark.parametrize("problem", BROKEN)
async def test_a_certificate_that_could_not_be_shown_is_refused_by_its_fault(problem: str) -> None:
    issuer, key = Issuer(), Key()
    leaf = BROKEN[problem](issuer, key).public_bytes(serialization.Encoding.DER)
    async with sidecar("pay") as pay:
        with pytest.raises(ValueError, match=rf"chain\[0\].*{problem}"):
            pay.engine.identify("pay", key, [leaf])
        with pytest.raises(ValueError, match="chain: is empty"):
            pay.engine.identify("pay", key, [])
        pay.engine.identify("pay", *issuer.identity("pay"))
