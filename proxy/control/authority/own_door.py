"""What the control plane shows of itself where it speaks TLS: a certificate of its own authority, renewed like all.

In: the authority, the time. Out: a TLS context that always has a valid certificate and the roots in force, and the
roots as a file for whoever is to know this control plane. Never: its private key on a disk.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from proxy.control.authority.authority import Authority

HOLDER = "(control plane)"
"""In the ledger, where a proxy has its name."""
ROOTS = "roots.pem"
_PATH = "/whymesh/control-plane"
"""Of its SPIFFE id; the engine knows it by this."""


class OwnDoor:
    """`names` are hosts and addresses by which it is reached."""

    def __init__(self, names: Iterable[str]) -> None:
        self._hosts = [_host(name) for name in dict.fromkeys(names)]
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_3
        self.context.verify_mode = ssl.CERT_OPTIONAL  # a proxy that joins has none yet
        self._roots: tuple[bytes, ...] = ()
        self._due: datetime | None = None

    def tend(self, authority: Authority, folder: Path, now: datetime) -> None:
        """Takes the roots in force, and another certificate when that is due; raises Refused, OSError."""
        roots = authority.bundle()
        if roots != self._roots:
            write_roots(folder / ROOTS, roots)
            self.context.load_verify_locations(cadata=b"".join(roots))
        if roots[0] not in self._roots[:1] or self._due is None or now >= self._due:
            self._show(authority, now)
        self._roots = roots

    def _show(self, authority: Authority, now: datetime) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        uri = f"spiffe://{authority.domain}{_PATH}"
        issued = authority.issue(HOLDER, uri, key.public_key(), now, self._hosts)
        # The root goes along for proxies that know it by its fingerprint only.
        chain = "".join(map(ssl.DER_cert_to_PEM_cert, (*issued.chain, issued.bundle[0])))
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        with os.fdopen(os.memfd_create("certificate"), "wb") as file:  # OpenSSL reads files only; this one is memory
            file.write(private + chain.encode())
            file.flush()
            self.context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")
        self._due = issued.renew_at


def write_roots(path: Path, roots: Iterable[bytes]) -> None:
    """Replaces the file of roots, in PEM, by which others know this control plane."""
    fresh = path.with_suffix(".new")
    fresh.write_text("".join(map(ssl.DER_cert_to_PEM_cert, roots)))
    fresh.replace(path)


def _host(name: str) -> x509.DNSName | x509.IPAddress:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
