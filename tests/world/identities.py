"""SERVICE -> CERTIFICATE: an authority of one trust domain, in memory, that also signs what no authority should."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from proxy._engine import Key
from proxy.control.authority.certificates import Signer, SigningKey
from proxy.snapshot import Crl, Trust

MARGIN = timedelta(hours=1)


def spiffe_id(service: str, domain: str = "mesh.local", namespace: str = "default") -> str:
    """What the mesh calls a service."""
    return f"spiffe://{domain}/ns/{namespace}/sa/{service}"


class Issuer:
    """A root of its own, or an issuing authority below another one."""

    def __init__(self, domain: str = "mesh.local", above: Issuer | None = None) -> None:
        self.domain = domain
        self._key: SigningKey = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{domain} {id(self)}")])
        self._above = above
        signer = above or self
        self.certificate = (
            _begun(self._name, signer._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_usage(signs=True), critical=True)
            .sign(signer._key, hashes.SHA256())
        )

    @classmethod
    def holding(cls, signer: Signer, domain: str = "mesh.local") -> Issuer:
        """What somebody can do who has the key of an authority."""
        made = cls(domain)
        made.certificate, made._key, made._name = signer.certificate, signer.key, signer.certificate.subject
        return made

    def trust(self, *denied: str) -> Trust:
        """Believing this authority alone, and what it signed but for these serials."""
        crls = {self.domain: (self.denying(*denied),)} if denied else {}
        return Trust(domains={self.domain: (_text(self.der),)}, crls=crls)

    def denying(self, *serials: str, signed_by: Issuer | None = None, since: datetime | None = None) -> Crl:
        """Its list of these serials; `signed_by` is somebody who pretends to be it."""
        begun = since or datetime.now(UTC)
        builder = x509.CertificateRevocationListBuilder(self._name, begun, begun + MARGIN)
        for serial in serials:
            entry = x509.RevokedCertificateBuilder(int(serial, 16), begun).build()
            builder = builder.add_revoked_certificate(entry)
        made = builder.sign((signed_by or self)._key, hashes.SHA256())
        return Crl(issuer=_text(self.der), crl=_text(made.public_bytes(serialization.Encoding.DER)))

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def chain(self, csr: bytes, *, starts: timedelta = -MARGIN, lasts: timedelta = MARGIN) -> list[bytes]:
        """A certificate on the names of a request, and those between it and the root."""
        asked = x509.load_der_x509_csr(csr)
        names = asked.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        leaf = self.sign(asked.public_key(), names.value, starts=starts, lasts=lasts)
        return [leaf.public_bytes(serialization.Encoding.DER), *self._between()]

    def identity(
        self, service: str, *, starts: timedelta = -MARGIN, lasts: timedelta = MARGIN, domain: str = ""
    ) -> tuple[Key, list[bytes]]:
        """A new key for a service, with its chain."""
        key = Key()
        return key, self.chain(key.csr([spiffe_id(service, domain or self.domain)]), starts=starts, lasts=lasts)

    def sign(
        self,
        key: CertificatePublicKeyTypes,
        names: x509.SubjectAlternativeName | None,
        *,
        starts: timedelta = -MARGIN,
        lasts: timedelta = MARGIN,
        usage: x509.KeyUsage | None = None,
        purposes: list[x509.ObjectIdentifier] | None = None,
    ) -> x509.Certificate:
        """A leaf as it should be, but for what is given."""
        begun = _begun(x509.Name([]), self._name, key, starts, lasts)
        begun = begun.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        begun = begun.add_extension(usage or _usage(), critical=True)
        both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        begun = begun.add_extension(x509.ExtendedKeyUsage(purposes or both), critical=False)
        if names is not None:
            begun = begun.add_extension(names, critical=True)
        return begun.sign(self._key, hashes.SHA256())

    def signs(self, made: x509.CertificateBuilder) -> x509.Certificate:
        """Whatever it is."""
        return made.sign(self._key, hashes.SHA256())

    def _between(self) -> list[bytes]:
        return [] if self._above is None else [self.der, *self._above._between()]


def _usage(*, signs: bool = False) -> x509.KeyUsage:
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


def _begun(
    subject: x509.Name,
    issuer: x509.Name,
    key: CertificatePublicKeyTypes,
    starts: timedelta = -MARGIN,
    lasts: timedelta = MARGIN,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + starts)
        .not_valid_after(now + lasts)
    )


def serial_of(chain: list[bytes]) -> str:
    """Of the leaf, as a deny list names it."""
    return f"{x509.load_der_x509_certificate(chain[0]).serial_number:x}"


def both_trust(*issuers: Issuer) -> Trust:
    """Believing each of these authorities of one trust domain, as during a rotation."""
    roots = tuple(_text(issuer.der) for issuer in issuers)
    return Trust(domains={issuers[0].domain: roots})


def _text(der: bytes) -> str:
    return base64.b64encode(der).decode()
