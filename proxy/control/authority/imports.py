"""Takes in a root, or an issuer below one, that somebody else made.

In: PEM. Out: what a rotation can begin with, or NotPossible naming the file and what is wrong with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from proxy.control.authority.certificates import Signer, signs_lists
from proxy.control.authority.errors import NotPossible


@dataclass(frozen=True)
class Brought:
    """A root with its key, or without it and with an issuer that it has signed."""

    root: Signer | x509.Certificate
    issuer: Signer | None


def root_with_key(root: Path, key: Path, passphrase: bytes | None, now: datetime) -> Brought:
    """A root that is to sign issuers here."""
    return Brought(_signer(root, key, passphrase, now), None)


def issuer_below(root: Path, issuer: Path, key: Path, passphrase: bytes | None, now: datetime) -> Brought:
    """An issuer whose root's key stays elsewhere."""
    above, below = _certificate(root, now), _signer(issuer, key, passphrase, now)
    try:
        below.certificate.verify_directly_issued_by(above)
    except (ValueError, TypeError, InvalidSignature) as error:
        raise NotPossible(f"{issuer}: was not signed by {root}: {error or 'the signature is another'}") from None
    if not signs_lists(below.certificate):
        raise NotPossible(f"{issuer}: may sign no lists of certificates that are denied (keyUsage cRLSign)")
    return Brought(above, below)


def _signer(path: Path, key: Path, passphrase: bytes | None, now: datetime) -> Signer:
    certificate = _certificate(path, now)
    try:
        private = load_pem_private_key(key.read_bytes(), passphrase)
    except OSError as error:
        raise NotPossible(f"{key}: {error.strerror}") from None
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise NotPossible(f"{key}: is no private key in PEM that could be read: {error}") from None
    if not isinstance(private, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise NotPossible(f"{key}: expected an ECDSA or RSA key")
    if _bytes(private.public_key()) != _bytes(certificate.public_key()):
        raise NotPossible(f"{key}: is not the key of {path}")
    return Signer(certificate, private)


def _certificate(path: Path, now: datetime) -> x509.Certificate:
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        raise NotPossible(f"{path}: {error.strerror}") from None
    except (ValueError, x509.InvalidVersion) as error:
        raise NotPossible(f"{path}: is no certificate in PEM: {error}") from None
    if not certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc:
        raise NotPossible(f"{path}: is not valid now; it ends at {certificate.not_valid_after_utc:%F %T} UTC")
    try:
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError) as error:
        raise NotPossible(f"{path}: is not the certificate of an authority: {error}") from None
    if not basic.ca or not usage.key_cert_sign:
        raise NotPossible(f"{path}: may sign no certificates (basicConstraints CA, keyUsage keyCertSign)")
    return certificate


def _bytes(key: object) -> bytes:
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        return b""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
