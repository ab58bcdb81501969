"""Requests for certificates: only one form is taken, whatever else comes."""

from __future__ import annotations

import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from proxy.control.authority.errors import Refused
from proxy.control.authority.requests import LONGEST, key_bytes, requested_key

URI = "spiffe://mesh.local/ns/default/sa/card"
KEY = ec.generate_private_key(ec.SECP256R1())


def request(
    *names: x509.GeneralName,
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey = KEY,
    more: x509.ExtensionType | None = None,
) -> bytes:
    begun = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    if names:
        begun = begun.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if more:
        begun = begun.add_extension(more, critical=True)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return begun.sign(key, algorithm).public_bytes(Encoding.DER)


def refusal(csr: bytes) -> str:
    with pytest.raises(Refused) as refused:
        requested_key(csr, URI)
    return refused.value.code


OWN = x509.UniformResourceIdentifier(URI)


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1()])
def test_a_request_on_its_own_name_is_taken(curve: ec.EllipticCurve) -> None:
    key = ec.generate_private_key(curve)
    assert key_bytes(requested_key(request(OWN, key=key), URI)) == key_bytes(key.public_key())


@pytest.mark.parametrize(
    "names",
    [
        (),
        (x509.UniformResourceIdentifier(f"{URI}2"),),
        (OWN, x509.UniformResourceIdentifier("spiffe://mesh.local/ns/default/sa/ledger")),
        (OWN, x509.DNSName("ledger")),
        (OWN, OWN),
    ],
)
def test_any_other_name_is_refused(names: tuple[x509.GeneralName, ...]) -> None:
    assert refusal(request(*names)) == "request_name"


def test_an_authority_is_not_issued() -> None:
    assert refusal(request(OWN, more=x509.BasicConstraints(ca=True, path_length=None))) == "request_extension"


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(65_537, 2048),
        ec.generate_private_key(ec.SECP256K1()),
        ed25519.Ed25519PrivateKey.generate(),
    ],
)
def test_other_keys_are_refused(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> None:
    assert refusal(request(OWN, key=key)) == "request_key"


def test_a_request_for_the_key_of_another_is_refused() -> None:
    """The public key is replaced; only the signature tells."""
    other = ec.generate_private_key(ec.SECP256R1())
    forged = request(OWN).replace(key_bytes(KEY.public_key()), key_bytes(other.public_key()))
    assert refusal(forged) == "request_signature"


@pytest.mark.parametrize("csr", [b"", b"\x30", b"-----BEGIN CERTIFICATE REQUEST-----", b"\x30" * (LONGEST + 1)])
def test_what_is_no_request_is_refused(csr: bytes) -> None:
    assert refusal(csr) == "request_malformed"


@given(st.data())
def test_no_damaged_request_is_taken(data: st.DataObject) -> None:
    """One byte is enough to break the signature, whatever it was."""
    csr = bytearray(base64.b64decode(_SIGNED))
    place = data.draw(st.integers(0, len(csr) - 1))
    csr[place] ^= data.draw(st.integers(1, 255))
    try:
        taken = requested_key(bytes(csr), URI)
    except Refused:
        return
    assert key_bytes(taken) == key_bytes(KEY.public_key()), "a byte that means nothing"


@given(st.binary(max_size=600))
def test_noise_is_refused(noise: bytes) -> None:
    assert refusal(noise) == "request_malformed"


_SIGNED = base64.b64encode(request(OWN))
