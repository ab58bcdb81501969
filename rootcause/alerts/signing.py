"""Signs messages, so that a receiver knows who sent them and that they are not an old one sent again.

Source: Standard Webhooks 1.0 (HMAC-SHA256 over `id.timestamp.body`, headers webhook-id, -timestamp, -signature).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

_PREFIX = "whsec_"
_SHORTEST = 16


class SecretRefused(ValueError):
    """Not a secret that can sign; the message says what one looks like."""


def read_secret(text: str) -> bytes:
    """The key in a secret as Standard Webhooks writes it: `whsec_` and base64."""
    try:
        key = base64.b64decode(text.strip().removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not text.strip().startswith(_PREFIX) or len(key) < _SHORTEST:
        raise SecretRefused(f"expected {_PREFIX} and at least {_SHORTEST} bytes in base64")
    return key


def headers(id: str, timestamp: int, body: bytes, key: bytes | None) -> dict[str, str]:
    """Id and time of a message, and its signature where there is a key."""
    named = {"webhook-id": id, "webhook-timestamp": str(timestamp)}
    if key is None:
        return named
    digest = hmac.new(key, f"{id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return named | {"webhook-signature": f"v1,{base64.b64encode(digest).decode()}"}
