"""Thousands of broken requests and certificates: each is refused with a code, and no name or key is got by any."""

from __future__ import annotations

import contextlib
import warnings

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.utils import CryptographyDeprecationWarning

from proxy._engine import Key
from proxy.control.authority.errors import Refused
from proxy.control.authority.ledger import Ledger
from proxy.control.authority.proofs import Proofs
from proxy.control.authority.requests import key_bytes, requested_key
from tests.proxy.control.authority.test_requests import KEY, OWN, URI, request
from tests.world.identities import Issuer
from tests.world.mutations import mutated

LEAF = Issuer().identity("card")[1][0]
REQUESTS = [
    request(OWN),
    request(OWN, key=KEY),
    request(),
    request(OWN, x509.DNSName("card")),
    request(OWN, key=rsa.generate_private_key(65_537, 2_048)),
    request(OWN, key=ed25519.Ed25519PrivateKey.generate()),
    request(OWN, key=ec.generate_private_key(ec.SECP521R1())),
    request(OWN, more=x509.BasicConstraints(ca=True, path_length=None)),
    request(OWN, more=x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x00")),
    Key().csr([URI]),
    LEAF,
]
EMPTY = b"\x30\x00"


def test_of_thousands_of_broken_requests_only_those_of_the_holder_of_a_key_are_taken() -> None:
    keys = {key_bytes(requested_key(sound, URI)) for sound in (REQUESTS[0], REQUESTS[9])}
    for csr in mutated(REQUESTS, 10_000, seed=6):
        with contextlib.suppress(Refused):
            assert key_bytes(requested_key(csr, URI)) in keys, csr.hex()


@pytest.mark.parametrize("depth", [10, 400, 1_000])
def test_a_request_nested_as_deep_as_it_may_be_long_is_refused(depth: int) -> None:
    nested = EMPTY
    for _ in range(depth):
        size = len(nested)
        length = bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2)
        nested = b"\x30" + length + nested
    with pytest.raises(Refused):
        requested_key(nested, URI)


def test_no_broken_certificate_proves_anything() -> None:
    proofs = Proofs(Ledger(None, "mesh.local"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)  # numbers that are no serials
        for shown in mutated([LEAF, *REQUESTS], 4_000, seed=8):
            with pytest.raises(Refused) as refused:
                proofs.check(shown, b"", b"", "card-1", URI, x509.load_der_x509_certificate(LEAF).not_valid_before_utc)
            assert refused.value.code in {"proof_malformed", "proof_foreign"}
