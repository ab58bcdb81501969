"""Whether the certificate of an application is on one of the lists that its proxy is told (RFC 5280, 5); all in DER."""

from __future__ import annotations

from collections.abc import Iterable

from cryptography import x509


def is_denied(leaf: bytes, crls: Iterable[bytes]) -> bool:
    """By the list of who signed it; whether that signed the list, too, is for the proxy to find out."""
    shown = x509.load_der_x509_certificate(leaf)
    lists = (one for one in map(x509.load_der_x509_crl, crls) if one.issuer == shown.issuer)
    return any(one.get_revoked_certificate_by_serial_number(shown.serial_number) for one in lists)
