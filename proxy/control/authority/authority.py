"""Issues certificates, names the roots to trust and, in signed lists, the certificates not to.

In: checked requests, orders, the time. Out: chains that end within the configured lifetime. Never: a certificate that
its issuer does not outlive.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from proxy.control.authority.certificates import der, fingerprint, make_issuer, make_leaf, make_root, serial_of
from proxy.control.authority.denials import Denials
from proxy.control.authority.errors import Refused
from proxy.control.authority.ledger import Ledger
from proxy.control.authority.lists import Lists
from proxy.control.authority.rotation import Rotation
from proxy.control.authority.signers import Signers
from proxy.control.authority.terms import Terms, due

_REMEMBERED = timedelta(days=7)
"""How long a certificate that has ended is still in the ledger."""


@dataclass(frozen=True)
class Issued:
    """A certificate with all that its holder needs; DER, the leaf first and the root left out."""

    serial: str
    chain: tuple[bytes, ...]
    bundle: tuple[bytes, ...]
    not_after: datetime
    renew_at: datetime


class Authority:
    """The authority of one trust domain; begins with a root of its own where the ledger has none."""

    def __init__(self, ledger: Ledger, domain: str, terms: Terms, now: datetime) -> None:
        self.ledger, self.domain = ledger, domain
        self.signers = Signers(ledger)
        self.rotation = Rotation(ledger, self.signers, domain, terms)
        self.lists, self.denials = Lists(ledger, self.signers), Denials(ledger)
        self.take(terms)
        self._begin(now)
        self._seen = ledger.version()

    def take(self, terms: Terms) -> None:
        """Issues by these lifetimes from now on, and so does every process that opens the ledger."""
        self.terms = self.rotation.terms = terms
        self.ledger.keep_terms(terms)

    def refresh(self) -> None:
        """Takes in what another process has done to the ledger."""
        if (version := self.ledger.version()) != self._seen:
            self._seen = version
            self.signers.reload()

    def bundle(self) -> tuple[bytes, ...]:
        """The roots to trust, in DER; the first one is that under which certificates are issued."""
        return self.signers.trusted()

    def newest(self) -> list[sqlite3.Row]:
        """The newest certificate of each identity of each proxy: proxy, uri, serial, issued, ends."""
        return self.ledger.sql.execute(
            "SELECT proxy, uri, serial, ends, max(issued) AS issued FROM issued GROUP BY proxy, uri ORDER BY proxy, uri"
        ).fetchall()

    def issue(
        self,
        proxy: str,
        uri: str,
        key: ec.EllipticCurvePublicKey,
        now: datetime,
        hosts: Sequence[x509.DNSName | x509.IPAddress] = (),
    ) -> Issued:
        """A certificate on `uri` for the holder of a key; raises Refused when no certificate could hold."""
        self.refresh()
        issuer = self.signers.issuer
        if issuer.signer is None or issuer.ends <= now:
            raise Refused(
                "issuer_expired",
                f"the certificate that issues others ended at {issuer.ends:%Y-%m-%d %H:%M:%S} UTC: "
                "`whymesh ca rotate`, or bring another one along with `whymesh ca import`",
            )
        leaf = make_leaf(issuer.signer, key, uri, now, self.terms.leaf, hosts)
        self._remember(leaf, proxy, uri, now)
        ends = leaf.not_valid_after_utc
        chain = (der(leaf), der(issuer.certificate))
        return Issued(serial_of(leaf), chain, self.bundle(), ends, due(now, ends))

    def _remember(self, leaf: x509.Certificate, proxy: str, uri: str, now: datetime) -> None:
        ends = leaf.not_valid_after_utc.timestamp()
        signed_by = self.signers.active.id, self.signers.issuer.id
        with self.ledger.change():
            self.ledger.sql.execute(
                "INSERT INTO issued (serial, fingerprint, proxy, uri, root, issuer, issued, ends) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (serial_of(leaf), fingerprint(leaf), proxy, uri, *signed_by, now.timestamp(), ends),
            )
            for table in ("issued", "denied"):
                self.ledger.sql.execute(f"DELETE FROM {table} WHERE ends < ?", ((now - _REMEMBERED).timestamp(),))

    def _begin(self, now: datetime) -> None:
        """The first root, unless there is one, perhaps by another process at the same moment."""
        with self.ledger.change():
            self.signers.reload()
            if "active" not in self.signers.roots:
                root = make_root(self.domain, now, self.terms.root)
                number = self.signers.add(root, "active", now)
                self.signers.add(make_issuer(self.domain, root, now, self.terms.issuer), "active", now, number)
        self.signers.reload()
