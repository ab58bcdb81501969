"""SERVICE -> WISH: what a proxy sends to the authority, made by the engine's own keys."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any

from proxy._engine import Key


@dataclass
class Applicant:
    """One service of one proxy on its way to a certificate."""

    proxy: str
    service: str
    domain: str = "mesh.local"
    key: Key = field(default_factory=Key)
    chain: list[bytes] = field(default_factory=list)

    @property
    def uri(self) -> str:
        return f"spiffe://{self.domain}/ns/default/sa/{self.service}"

    def joining(self, token: str | None, *uris: str) -> dict[str, Any]:
        """A wish with a token."""
        csr = self.key.csr(list(uris or (self.uri,)))
        shown = {} if token is None else {"token": token}
        return {"service": self.service, "csr": base64.b64encode(csr).decode(), **shown}

    def renewing(self, new: Key, *, signed_by: Key | None = None, proxy: str = "") -> dict[str, Any]:
        """A wish for a certificate on a new key, with the one that is held."""
        csr = new.csr([self.uri])
        signature = (signed_by or self.key).sign(b"whymesh renewal\0" + (proxy or self.proxy).encode() + b"\0" + csr)
        proof = {name: base64.b64encode(value).decode() for name, value in _shown(self.chain[0], signature).items()}
        return {"service": self.service, "csr": base64.b64encode(csr).decode(), "proof": proof}

    def ask(self, control: str, wish: dict[str, Any]) -> tuple[int, Any]:
        """Status and answer; a certificate is kept."""
        status, answer = post(f"{control}/v1/identities/{self.proxy}", wish)
        if status == 200:
            self.chain = [base64.b64decode(one) for one in answer["chain"]]
        return status, answer


def post(url: str, body: Any) -> tuple[int, Any]:
    """Status and JSON of an answer, whatever it is."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, raw, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def _shown(leaf: bytes, signature: bytes) -> dict[str, bytes]:
    return {"certificate": leaf, "signature": signature}
