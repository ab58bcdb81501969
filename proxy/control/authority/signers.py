"""The roots and issuers of an authority, as its ledger has them.

In: certificates with keys. Out: which one signs now, which ones are to be trusted.
States of a root: `next` (trusted, signs nothing yet), `active`, `old` (trusted, signs no more), `gone`; of an issuer:
`next`, `active`, `retired` (signs lists of what is denied and nothing else, while anything it signed holds), `gone`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from proxy.control.authority.certificates import Signer, SigningKey, der
from proxy.control.authority.ledger import Ledger, moment

State = Literal["next", "active", "old", "retired", "gone"]


@dataclass(frozen=True)
class Kept:
    """One certificate that signs; `root` is None for a root, `key` where it is not kept here."""

    id: int
    root: int | None
    certificate: x509.Certificate
    key: SigningKey | None
    state: State
    since: datetime

    @property
    def starts(self) -> datetime:
        """From when it holds."""
        return self.certificate.not_valid_before_utc

    @property
    def ends(self) -> datetime:
        """Until when it holds."""
        return self.certificate.not_valid_after_utc

    @property
    def signer(self) -> Signer | None:
        """Able to sign, where its key is here."""
        return Signer(self.certificate, self.key) if self.key else None


class Signers:
    """What is kept, read anew after each change."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.reload()

    def reload(self) -> None:
        """Reads what is there now."""
        rows = self._ledger.sql.execute("SELECT * FROM signers WHERE state != 'gone' ORDER BY id").fetchall()
        kept = [
            Kept(
                row["id"],
                row["root"],
                x509.load_der_x509_certificate(row["certificate"]),
                self._read(row["key"]),
                row["state"],
                moment(row["since"]),
            )
            for row in rows
        ]
        self.roots = {one.state: one for one in kept if one.root is None}
        self.issuers = [one for one in kept if one.root is not None]

    @property
    def active(self) -> Kept:
        """The root under which certificates are issued."""
        return self.roots["active"]

    @property
    def issuer(self) -> Kept:
        """What signs the certificates of workloads."""
        return next(one for one in self.issuers if one.state == "active")

    def trusted(self) -> tuple[bytes, ...]:
        """Every root to trust, the one that signs first."""
        states: tuple[State, ...] = ("active", "next", "old")
        return tuple(der(self.roots[state].certificate) for state in states if state in self.roots)

    def add(self, signer: Signer | x509.Certificate, state: State, now: datetime, root: int | None = None) -> int:
        """Keeps a root, or an issuer below one, and returns its number."""
        certificate, key = (signer.certificate, signer.key) if isinstance(signer, Signer) else (signer, None)
        written = self._ledger.keep_key(_plain(key)) if key else None
        made = self._ledger.sql.execute(
            "INSERT INTO signers (root, certificate, key, state, since) VALUES (?, ?, ?, ?, ?)",
            (root, der(certificate), written, state, now.timestamp()),
        )
        return int(made.lastrowid or 0)

    def turn(self, one: Kept, state: State, now: datetime) -> None:
        """Puts it into another state; the key of one that signs no more is forgotten, and so is what it denied."""
        keep = state in ("next", "active", "retired")
        self._ledger.sql.execute(
            "UPDATE signers SET state = ?, since = ?, key = iif(?, key, NULL) WHERE id = ?",
            (state, now.timestamp(), keep, one.id),
        )
        if not keep:
            self._ledger.sql.execute("DELETE FROM lists WHERE issuer = ?", (one.id,))

    def retire(self, root: Kept, now: datetime) -> None:
        """The issuer below a root issues nothing more."""
        for issuer in self.issuers:
            if issuer.root == root.id and issuer.state == "active":
                self.turn(issuer, "retired", now)

    def _read(self, kept: bytes | None) -> SigningKey | None:
        if kept is None:
            return None
        key = load_der_private_key(self._ledger.read_key(kept), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey), "no other is written"
        return key


def _plain(key: SigningKey) -> bytes:
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
