"""Makes certificates: roots, issuers, and X.509-SVIDs (SPIFFE X509-SVID, sections 2 to 4; RFC 5280).

In: a key, a name, an interval. Out: a signed certificate. Pure but for the randomness of keys and serials.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from proxy.control.authority.terms import SKEW

SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


@dataclass(frozen=True)
class Signer:
    """A certificate that signs others, with its key."""

    certificate: x509.Certificate
    key: SigningKey


def make_root(domain: str, now: datetime, life: timedelta) -> Signer:
    """A self-signed root of a trust domain, from `now`."""
    key, name = ec.generate_private_key(ec.SECP256R1()), _name(domain, "root", now)
    begun = _ca(domain, name, key.public_key(), path_length=1).issuer_name(name)
    return Signer(_signed(begun, key.public_key(), key, now, now + life), key)


def make_issuer(domain: str, root: Signer, now: datetime, life: timedelta) -> Signer:
    """A certificate below the root that issues those of workloads and no further authority; the root outlives it."""
    key = ec.generate_private_key(ec.SECP256R1())
    begun = _ca(domain, _name(domain, "issuer", now), key.public_key(), path_length=0)
    end = min(now + life, root.certificate.not_valid_after_utc)
    begun = begun.issuer_name(root.certificate.subject)
    return Signer(_signed(begun, root.key.public_key(), root.key, now, end), key)


def make_leaf(
    issuer: Signer,
    key: PublicKey,
    uri: str,
    now: datetime,
    life: timedelta,
    hosts: Sequence[x509.DNSName | x509.IPAddress] = (),
) -> x509.Certificate:
    """An X.509-SVID: one URI name, no authority, for both ends of a connection; the issuer outlives it.

    `hosts` are for who looks for those (RFC 9525), not for proxies.
    """
    names = [x509.UniformResourceIdentifier(uri), *hosts]
    both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    begun = (
        _begun(x509.Name([]), key)
        .issuer_name(issuer.certificate.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(both), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=True)
    )
    end = min(now + life, issuer.certificate.not_valid_after_utc)
    return _signed(begun, issuer.key.public_key(), issuer.key, now, end)


def der(made: x509.Certificate | x509.CertificateRevocationList) -> bytes:
    """As it goes over the wire."""
    return made.public_bytes(Encoding.DER)


def signs_lists(certificate: x509.Certificate) -> bool:
    """Whether it may sign lists of certificates that are denied (keyUsage cRLSign)."""
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign
    except x509.ExtensionNotFound:
        return False


def serial_of(certificate: x509.Certificate) -> str:
    """Its serial number as people write it (`hexadecimal`)."""
    return hexadecimal(certificate.serial_number)


def hexadecimal(number: int) -> str:
    """A serial number in lower-case hexadecimal, two digits a byte."""
    return number.to_bytes((number.bit_length() + 7) // 8 or 1, "big").hex()


def fingerprint(certificate: x509.Certificate) -> bytes:
    """What it is known by: SHA-256 over all of it."""
    return certificate.fingerprint(hashes.SHA256())


def uris_of(names: x509.SubjectAlternativeName) -> list[str] | None:
    """The URIs among names; None when there are names of another type beside them."""
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    return uris if len(uris) == len(names) else None


def _ca(domain: str, name: x509.Name, key: PublicKey, path_length: int) -> x509.CertificateBuilder:
    """A signing certificate's SPIFFE id has no path (X509-SVID, 4.1)."""
    own = x509.UniformResourceIdentifier(f"spiffe://{domain}")
    return (
        _begun(name, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.SubjectAlternativeName([own]), critical=False)
    )


def _begun(subject: x509.Name, key: PublicKey) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _signed(
    begun: x509.CertificateBuilder, by: PublicKey, key: SigningKey, now: datetime, end: datetime
) -> x509.Certificate:
    """Whole seconds, for certificates know no others."""
    return (
        begun.not_valid_before(now.replace(microsecond=0) - SKEW)
        .not_valid_after(end.replace(microsecond=0))
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by), critical=False)
        .sign(key, hashes.SHA256())
    )


def _name(domain: str, part: str, now: datetime) -> x509.Name:
    """Tells the generations apart for whoever reads them; a common name has at most 64 characters."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, domain[:64]),
            x509.NameAttribute(NameOID.COMMON_NAME, f"whymesh {part} {now:%Y-%m-%d %H:%M:%S}"),
        ]
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
