"""TLS of the doors that take telemetry: certificate and key from files, read anew when they change.

In: paths. Out: what aiohttp's and gRPC's servers want. Never: a connection that was accepted under the old certificate
cut, a renewal that cannot be read put in place of one that works.
"""

from __future__ import annotations

import logging
import ssl
from pathlib import Path
from typing import Any

import grpc

from collector.errors import ConfigRefused

log = logging.getLogger("whymesh.collector")


class Tls:
    """`client_ca`: senders must show a certificate that it signed (mTLS)."""

    def __init__(self, certificate: Path, key: Path, client_ca: Path | None) -> None:
        """Raises ConfigRefused with the path of what cannot be read."""
        self._files = [certificate, key, *([client_ca] if client_ca else [])]
        self._client_ca = client_ca
        self._read_at: list[int] = []
        for name, path in (("certificate", certificate), ("key", key), ("client_ca", client_ca)):
            if path is not None:
                _check(name, path)
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        if client_ca is not None:
            self.context.verify_mode = ssl.CERT_REQUIRED
        try:
            self._load()
        except (OSError, ssl.SSLError) as error:
            raise ConfigRefused(f"tls: {certificate} and {key} cannot be used: {error}") from None
        self._read_at = self._changed_at()

    def renew(self) -> bool:
        """Reads the files again when one of them changed; connections from now on see it."""
        changed_at = self._changed_at()
        if changed_at == self._read_at:
            return False
        self._read_at = changed_at
        try:
            self._load()
        except (OSError, ssl.SSLError) as error:
            log.warning("tls: the renewed certificate cannot be used, the old one stays: %s", error)
            return False
        return True

    def grpc(self) -> Any:
        """Credentials of a gRPC server, which asks for them at each handshake."""
        return grpc.dynamic_ssl_server_credentials(
            self._configuration(),
            self._configuration,
            require_client_authentication=self._client_ca is not None,
        )

    def _load(self) -> None:
        certificate, key = self._files[:2]
        self.context.load_cert_chain(certificate, key)
        if self._client_ca is not None:
            self.context.load_verify_locations(self._client_ca)
        ca = self._client_ca.read_bytes() if self._client_ca else None
        self._pem = grpc.ssl_server_certificate_configuration([(key.read_bytes(), certificate.read_bytes())], ca)

    def _configuration(self) -> Any:
        return self._pem

    def _changed_at(self) -> list[int]:
        return [path.stat().st_mtime_ns if path.exists() else 0 for path in self._files]


def identities(certificate: dict[str, Any] | None) -> tuple[str, ...]:
    """The URIs that a checked certificate names, as `ssl.SSLSocket.getpeercert` returns it."""
    return tuple(value for kind, value in (certificate or {}).get("subjectAltName", ()) if kind == "URI")


def _check(name: str, path: Path) -> None:
    try:
        path.read_bytes()
    except OSError as error:
        raise ConfigRefused(f"tls.{name}: {path}: {error.strerror}") from None
