"""An issuer of JSON Web Tokens: real keys, real signatures, and a key set as it would publish it."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def encoded(data: bytes) -> str:
    """Base64 for URLs, without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value: int, size: int | None = None) -> str:
    return encoded(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


@dataclass(frozen=True)
class SigningKey:
    """One key under one id; `alg` is RS256, ES256 or EdDSA."""

    alg: str
    kid: str
    private: Private

    @classmethod
    def make(cls, alg: str, kid: str = "a") -> SigningKey:
        made: dict[str, Any] = {
            "RS256": lambda: rsa.generate_private_key(65_537, 2_048),
            "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
            "EdDSA": ed25519.Ed25519PrivateKey.generate,
        }
        return cls(alg, kid, made[alg]())

    @property
    def public(self) -> dict[str, str]:
        """Its entry in a key set."""
        common = {"kid": self.kid, "alg": self.alg, "use": "sig"}
        if isinstance(self.private, rsa.RSAPrivateKey):
            numbers = self.private.public_key().public_numbers()
            return {**common, "kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            point = self.private.public_key().public_numbers()
            return {**common, "kty": "EC", "crv": "P-256", "x": _number(point.x, 32), "y": _number(point.y, 32)}
        return {**common, "kty": "OKP", "crv": "Ed25519", "x": encoded(self.private.public_key().public_bytes_raw())}

    def token(self, claims: dict[str, Any], **head: Any) -> str:
        """A token that says these claims."""
        parts = ({"alg": self.alg, "kid": self.kid, "typ": "JWT", **head}, claims)
        message = ".".join(encoded(json.dumps(part).encode()) for part in parts)
        return f"{message}.{encoded(self._sign(message.encode()))}"

    def _sign(self, message: bytes) -> bytes:
        if isinstance(self.private, rsa.RSAPrivateKey):
            return self.private.sign(message, padding.PKCS1v15(), SHA256())
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            r, s = decode_dss_signature(self.private.sign(message, ec.ECDSA(SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return self.private.sign(message)


def key_set(*keys: SigningKey) -> str:
    """What the issuer publishes."""
    return json.dumps({"keys": [key.public for key in keys]})
