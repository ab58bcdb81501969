"""Reads a request for a certificate (PKCS#10, RFC 2986) and refuses what a proxy of this mesh would never send."""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from proxy.control.authority.certificates import uris_of
from proxy.control.authority.errors import Refused

LONGEST = 4096
"""Bytes of a request; one on P-256 has about 300."""
_CURVES = (ec.SECP256R1, ec.SECP384R1)


def requested_key(csr: bytes, uri: str) -> ec.EllipticCurvePublicKey:
    """The public key for which a certificate on `uri`, and on nothing else, is asked; raises Refused.

    The signature shows that whoever asks holds the private key.
    """
    if len(csr) > LONGEST:
        raise Refused("request_malformed", f"the request has {len(csr)} bytes; at most {LONGEST} are read")
    try:
        request = x509.load_der_x509_csr(csr)
        key, signed = request.public_key(), request.is_signature_valid
        extensions = list(request.extensions)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion) as error:
        raise Refused("request_malformed", f"the request is not PKCS#10 in DER: {error}") from None
    if not signed:
        raise Refused("request_signature", "the request is not signed by the key that it names")
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, _CURVES):
        raise Refused("request_key", "the key is not an ECDSA key on P-256 or P-384")
    _only_named(extensions, uri)
    return key


def key_bytes(key: ec.EllipticCurvePublicKey) -> bytes:
    """A public key as bytes, to compare it."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _only_named(extensions: list[x509.Extension[x509.ExtensionType]], uri: str) -> None:
    uris: list[str] | None = []
    for extension in extensions:
        if not isinstance(extension.value, x509.SubjectAlternativeName):
            raise Refused("request_extension", f"the request asks for the extension {extension.oid.dotted_string}")
        uris = uris_of(extension.value)
    if uris != [uri]:
        asked = "names that are no URI" if uris is None else ", ".join(uris) or "no name"
        raise Refused("request_name", f"the request is for {asked}; this service is {uri}, and nothing else")
