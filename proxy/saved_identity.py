"""A proxy's keys and certificates on disk, sealed, so that it can start again while the control plane is away.

In: what was granted. Out: the same for the next process with the same secret. Never: a key in the clear; without a
secret nothing is kept.
"""

from __future__ import annotations

import json
import logging
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proxy._engine import Key

log = logging.getLogger("whymesh.proxy")


@dataclass(frozen=True)
class Held:
    """One certificate: DER, the leaf first; `root` is the one that signs, in base64; times in seconds since 1970."""

    uri: str
    key: Key
    chain: list[bytes]
    root: str
    not_after: float
    renew_at: float


@dataclass(frozen=True)
class SavedIdentities:
    """One file a service beside the snapshot of a proxy; `secret` is asked for when it is needed."""

    folder: Path | None
    proxy: str
    secret: Callable[[], bytes]
    key: type[Key]

    def keep(self, service: str, held: Held) -> None:
        """Replaces what is there, whole; what cannot be written is told of and in memory only."""
        path, secret = self._path(service), self.secret()
        if path is None or not secret:
            return
        kept = {
            "uri": held.uri,
            "key": b2a_base64(held.key.seal(secret), newline=False).decode(),
            "chain": [b2a_base64(one, newline=False).decode() for one in held.chain],
            "root": held.root,
            "not_after": held.not_after,
            "renew_at": held.renew_at,
        }
        fresh = path.with_suffix(".new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh.touch(mode=0o600)
            fresh.write_text(json.dumps(kept), encoding="utf-8")
            fresh.replace(path)
        except OSError as error:
            log.error("%s: the certificate is not kept for the next start: %s", path, error)

    def load(self, service: str) -> Held | None:
        """What was kept, if the secret is the same."""
        path, secret = self._path(service), self.secret()
        if path is None or not secret or not path.exists():
            return None
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            key = self.key.unseal(a2b_base64(kept["key"]), secret)
            chain = [a2b_base64(one) for one in kept["chain"]]
            return Held(kept["uri"], key, chain, kept["root"], kept["not_after"], kept["renew_at"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s: of no use, another certificate is asked for: %s", path, error)
            return None

    def _path(self, service: str) -> Path | None:
        return self.folder / f"{self.proxy}.{service}.identity.json" if self.folder else None
