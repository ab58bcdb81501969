"""TLS of the collector's doors: certificate and key from files, read anew when they change.

In: paths. Out: a context for asyncio's and aiohttp's servers, and the same as PEM for gRPC's. Never: a connection that
was accepted under the old certificate cut, a renewal that cannot be read put in place of one that works.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from collector.errors import ConfigRefused

LOOK_S: Final = 10.0

log = logging.getLogger("whymesh.collector")


@dataclass(frozen=True)
class Pem:
    """What the files hold."""

    certificate: bytes
    key: bytes
    ca: bytes | None


class Tls:
    """Clients must show a certificate that `client_ca` signed; with `optional` they may, and are checked if they do.

    `where` is the path of this part of the configuration.
    """

    def __init__(
        self, where: str, certificate: Path, key: Path, client_ca: Path | None, *, optional: bool = False
    ) -> None:
        """Raises ConfigRefused with the path of what cannot be read."""
        self._where = where
        self._files = {"certificate": certificate, "key": key} | ({"client_ca": client_ca} if client_ca else {})
        for name, path in self._files.items():
            _check(f"{where}.{name}", path)
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        if client_ca is not None:
            self.context.verify_mode = ssl.CERT_OPTIONAL if optional else ssl.CERT_REQUIRED
        try:
            self.pem = self._load()
        except (OSError, ssl.SSLError) as error:
            raise ConfigRefused(f"{where}: {certificate} and {key} cannot be used: {error}") from None
        self._read_at = self._changed_at()

    async def watch(self) -> None:
        """Looks for renewed files until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            await asyncio.to_thread(self.renew)

    def renew(self) -> bool:
        """Reads the files again when one of them changed; connections from now on see it."""
        changed_at = self._changed_at()
        if changed_at == self._read_at:
            return False
        self._read_at = changed_at
        try:
            self.pem = self._load()
        except (OSError, ssl.SSLError) as error:
            log.warning("%s: the renewed certificate cannot be used, the old one stays: %s", self._where, error)
            return False
        return True

    def _load(self) -> Pem:
        certificate, key, ca = (self._files.get(name) for name in ("certificate", "key", "client_ca"))
        assert certificate is not None
        assert key is not None
        self.context.load_cert_chain(certificate, key)
        if ca is not None:
            self.context.load_verify_locations(ca)
        return Pem(certificate.read_bytes(), key.read_bytes(), ca.read_bytes() if ca else None)

    def _changed_at(self) -> list[int]:
        return [path.stat().st_mtime_ns if path.exists() else 0 for path in self._files.values()]


def identities(certificate: dict[str, Any] | None) -> tuple[str, ...]:
    """The URIs that a checked certificate names, as `ssl.SSLSocket.getpeercert` returns it."""
    return tuple(value for kind, value in (certificate or {}).get("subjectAltName", ()) if kind == "URI")


def _check(where: str, path: Path) -> None:
    try:
        path.read_bytes()
    except OSError as error:
        raise ConfigRefused(f"{where}: {path}: {error.strerror}") from None
