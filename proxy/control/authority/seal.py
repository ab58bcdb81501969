"""Private keys as they are kept: PKCS#8, or sealed by a secret for a disk that may be stolen.

In: a key, and the operator's secret. Out: bytes; AES-256-GCM under a key that scrypt derives (RFC 7914).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

SALT_BYTES = 16
_NONCE_BYTES = 12
_MAGIC = b"whymesh-sealed-1"


class WrongSecret(Exception):
    """The bytes were sealed by another secret, or changed since."""


@dataclass(frozen=True)
class Seal:
    """Derives its key once: that takes a tenth of a second and 32 MB, on purpose."""

    _cipher: AESGCM = field(repr=False)

    @classmethod
    def of(cls, secret: bytes, salt: bytes) -> Seal:
        """The seal of a secret; `salt` is kept beside what it seals."""
        return cls(AESGCM(Scrypt(salt=salt, length=32, n=2**15, r=8, p=1).derive(secret)))

    def close(self, plain: bytes) -> bytes:
        """Only the same secret opens it again."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _MAGIC + nonce + self._cipher.encrypt(nonce, plain, _MAGIC)

    def open(self, sealed: bytes) -> bytes:
        """What was sealed; raises WrongSecret."""
        start = len(_MAGIC) + _NONCE_BYTES
        try:
            return self._cipher.decrypt(sealed[len(_MAGIC) : start], sealed[start:], _MAGIC)
        except InvalidTag:
            raise WrongSecret from None


def is_sealed(kept: bytes) -> bool:
    """Whether a secret is needed to read this key."""
    return kept.startswith(_MAGIC)
