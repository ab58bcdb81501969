"""Who may send, known by a bearer token or a client certificate, and how much each may send.

In: what a request shows of its sender, and its size. Out: the tenant it counts for. Never: a token compared in a time
that tells how much of it was right; a sender that is neither known nor refused.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from collector.errors import ConfigRefused, OverQuota, Unauthenticated

BURST_S = 10.0
"""A tenant that was quiet may send as much at once as it may send in this time."""


@dataclass(frozen=True)
class Terms:
    """A tenant as configured: `digest` is the SHA-256 of its token, `identities` are patterns of SPIFFE ids."""

    name: str
    digest: bytes = b""
    identities: tuple[str, ...] = ()
    bytes_per_s: float = math.inf


def read_terms(name: str, token_file: Path | None, identities: Sequence[str], bytes_per_s: int | None) -> Terms:
    """Raises ConfigRefused when the token cannot be read, or is none."""
    digest = b""
    if token_file is not None:
        try:
            token = token_file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigRefused(f"tenants, {name}: token_file: {token_file}: {error}") from None
        if not token:
            raise ConfigRefused(f"tenants, {name}: token_file: {token_file} is empty")
        digest = hashlib.sha256(token.encode()).digest()
    return Terms(name, digest, tuple(identities), bytes_per_s or math.inf)


class Tenant:
    """What one tenant may still send: a bucket that fills by `bytes_per_s`."""

    def __init__(self, terms: Terms, clock: Callable[[], float] = time.monotonic) -> None:
        self.terms = terms
        self.bytes = 0
        self._clock = clock
        self._level = self._most
        self._filled_at = clock()

    def spend(self, size: int) -> None:
        """Counts a body. Raises OverQuota while the bucket is in debt; a full one lets a body of any size pass."""
        rate, now = self.terms.bytes_per_s, self._clock()
        if rate < math.inf:
            self._level = min(self._most, self._level + (now - self._filled_at) * rate)
            self._filled_at = now
            if self._level <= 0:
                wait = math.ceil(-self._level / rate) or 1
                raise OverQuota(f"{self.terms.name} may send {rate:.0f} bytes a second: try again in {wait} s", wait)
            self._level -= size
        self.bytes += size

    @property
    def _most(self) -> float:
        return self.terms.bytes_per_s * BURST_S


class Tenants:
    """All who may send; with none configured, anyone who reaches the door."""

    def __init__(self, terms: Sequence[Terms], clock: Callable[[], float] = time.monotonic) -> None:
        self._tenants = [Tenant(one, clock) for one in terms]
        self._anyone = Tenant(Terms("anyone"), clock)

    @property
    def all(self) -> Sequence[Tenant]:
        return self._tenants or [self._anyone]

    def admit(self, authorization: str | None, identities: Sequence[str]) -> Tenant:
        """The first tenant whose token or identity it is. Raises Unauthenticated.

        `authorization` is the header of that name, `identities` the URIs of a certificate that was checked.
        """
        if not self._tenants:
            return self._anyone
        scheme, _, token = (authorization or "").partition(" ")
        shown = hashlib.sha256(token.strip().encode()).digest() if scheme.lower() == "bearer" else b""
        for tenant in self._tenants:
            terms = tenant.terms
            if terms.digest and hmac.compare_digest(shown, terms.digest):
                return tenant
            if any(fnmatchcase(identity, pattern) for identity in identities for pattern in terms.identities):
                return tenant
        raise Unauthenticated(_WHY[bool(shown)])


_WHY = {
    True: "the token is not one of the collector's `tenants`",
    False: "send `Authorization: Bearer` with a token, or a certificate, of one of the collector's `tenants`",
}
