"""The key of an application: made here, and given to the application, unlike a proxy's, which the engine keeps."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


class ApplicationKey:
    """ECDSA on P-256."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    def csr(self, uris: list[str]) -> bytes:
        """A signed request for a certificate on these URI names (PKCS#10, DER)."""
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri) for uri in uris])
        asked = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        asked = asked.add_extension(names, critical=False)
        return asked.sign(self._key, hashes.SHA256()).public_bytes(Encoding.DER)

    def sign(self, message: bytes) -> bytes:
        """Proves that one holds the key: ECDSA with SHA-256, in ASN.1."""
        return self._key.sign(message, ec.ECDSA(hashes.SHA256()))

    def pkcs8(self) -> bytes:
        """As the application gets it, in DER."""
        return self._key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
