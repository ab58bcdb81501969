"""DENIED CERTIFICATES -> SIGNED LISTS: for each issuer a certificate revocation list (RFC 5280, 5) of its own.

In: the ledger, the keys of issuers, the time. Out: lists in DER, signed anew only when another certificate is denied,
and kept so that a control plane that does not lead tells the same ones. Never: a list that ends before its issuer does:
while the control plane is away nobody could sign another.
"""

from __future__ import annotations

from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from proxy.control.authority.certificates import Signer, der
from proxy.control.authority.ledger import Ledger, moment
from proxy.control.authority.signers import Kept, Signers
from proxy.control.authority.terms import SKEW


class Lists:
    """Those of one authority."""

    def __init__(self, ledger: Ledger, signers: Signers) -> None:
        self._ledger, self._signers = ledger, signers

    def told(self) -> tuple[tuple[bytes, bytes], ...]:
        """Every list in force behind the certificate of its issuer; of issuers that nobody trusts any more, none."""
        trusted = {root.id for root in self._signers.roots.values()}
        lists = {row["issuer"]: bytes(row["crl"]) for row in self._ledger.sql.execute("SELECT issuer, crl FROM lists")}
        issuers = (one for one in self._signers.issuers if one.root in trusted and one.id in lists)
        return tuple((der(one.certificate), lists[one.id]) for one in issuers)

    def sign(self, now: datetime) -> None:
        """Brings the list of every issuer up to date."""
        for issuer in self._signers.issuers:
            if issuer.signer is None:
                continue
            denied, before = self._denied(issuer, now), self._before(issuer)
            if denied.keys() == ({one.serial_number for one in before} if before else set()):
                continue
            if denied:
                number = max(int(now.timestamp()), _number(before) + 1 if before else 0)
                self._keep(issuer, _signed(issuer.signer, denied, number, now))
            else:
                self._ledger.sql.execute("DELETE FROM lists WHERE issuer = ?", (issuer.id,))

    def _denied(self, issuer: Kept, now: datetime) -> dict[int, datetime]:
        """Serials with the time since when; a little longer than each certificate, for clocks that are behind."""
        rows = self._ledger.sql.execute(
            "SELECT serial, since FROM denied JOIN issued USING (serial) WHERE issuer = ? AND denied.ends > ?",
            (issuer.id, (now - SKEW).timestamp()),
        )
        return {int(row["serial"], 16): moment(row["since"]) for row in rows}

    def _before(self, issuer: Kept) -> x509.CertificateRevocationList | None:
        row = self._ledger.sql.execute("SELECT crl FROM lists WHERE issuer = ?", (issuer.id,)).fetchone()
        return x509.load_der_x509_crl(row["crl"]) if row else None

    def _keep(self, issuer: Kept, crl: x509.CertificateRevocationList) -> None:
        self._ledger.sql.execute("INSERT OR REPLACE INTO lists (issuer, crl) VALUES (?, ?)", (issuer.id, der(crl)))


def _signed(issuer: Signer, denied: dict[int, datetime], number: int, now: datetime) -> x509.CertificateRevocationList:
    public = issuer.key.public_key()
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(now.replace(microsecond=0))
        .next_update(issuer.certificate.not_valid_after_utc + SKEW)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        .add_extension(x509.CRLNumber(number), critical=False)
    )
    for serial, since in sorted(denied.items()):
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(since.replace(microsecond=0))
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(issuer.key, hashes.SHA256())


def _number(crl: x509.CertificateRevocationList) -> int:
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
