"""A proxy that renews shows the certificate it has, and that it holds the key to it.

In: that certificate, and the new request signed by its key. Out: its serial, or why it is not believed.
What counts is that the ledger knows it: whoever stole an issuer's key cannot renew what he made with it.
Whoever records a renewal and sends it again gains a certificate for a key he does not have.
"""

from __future__ import annotations

from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from proxy.control.authority.certificates import fingerprint
from proxy.control.authority.errors import Refused
from proxy.control.authority.ledger import Ledger, moment

LONGEST = 4096
"""Bytes of a certificate that is shown; ours have about 500."""


def message_of(proxy: str, csr: bytes) -> bytes:
    """What the current key signs."""
    return b"whymesh renewal\0" + proxy.encode() + b"\0" + csr


class Proofs:
    """Checks what proxies show against what was issued."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def check(self, shown: bytes, signature: bytes, message: bytes, proxy: str, uri: str, now: datetime) -> str:
        """The serial of the certificate that was shown; raises Refused."""
        certificate = _read(shown)
        row = self._ledger.sql.execute(
            "SELECT serial, proxy, uri, ends FROM issued WHERE fingerprint = ?", (fingerprint(certificate),)
        ).fetchone()
        if row is None:
            raise Refused("proof_foreign", "the certificate that was shown was not issued by this authority")
        serial: str = row["serial"]
        if row["ends"] <= now.timestamp():
            raise Refused(
                "proof_expired", f"the certificate {serial} ended at {moment(row['ends']):%F %T} UTC: join anew"
            )
        if (row["proxy"], row["uri"]) != (proxy, uri):
            raise Refused(
                "proof_other", f"the certificate {serial} is that of {row['uri']} at the proxy {row['proxy']}"
            )
        if self._ledger.sql.execute("SELECT 1 FROM denied WHERE serial = ?", (serial,)).fetchone():
            raise Refused("proof_denied", f"the certificate {serial} is denied")
        key = certificate.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey), "this authority certifies no other"
        try:
            key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            raise Refused("proof_signature", "the request is not signed by the key of the certificate shown") from None
        return serial


def _read(shown: bytes) -> x509.Certificate:
    if len(shown) > LONGEST:
        raise Refused("proof_malformed", f"the certificate that was shown has {len(shown)} bytes; at most {LONGEST}")
    try:
        return x509.load_der_x509_certificate(shown)
    except (ValueError, x509.InvalidVersion) as error:
        raise Refused("proof_malformed", f"what was shown is no certificate in DER: {error}") from None
