"""Certificates that are not to be trusted although they hold.

In: a serial, a proxy with all it has, or an identity with all that show it. Out: rows of the ledger, until each
certificate would have ended anyway; `lists` makes of them what proxies are told.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from proxy.control.authority.certificates import signs_lists
from proxy.control.authority.errors import NotPossible
from proxy.control.authority.ledger import Ledger, moment
from proxy.control.authority.members import APPLICATION
from proxy.control.authority.terms import SKEW


@dataclass(frozen=True)
class Denial:
    """One certificate that is denied, and whose it is."""

    serial: str
    proxy: str
    identity: str
    reason: str
    since: datetime
    ends: datetime


class Denials:
    """Those of one ledger; needs no key, so that they can be written down while keys are sealed."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def deny(self, named: str, reason: str, now: datetime) -> list[str]:
        """Denies what is named and returns the serials; raises NotPossible when there is none that could be denied."""
        with self._ledger.change():
            rows = [row for row in self._named(named) if row["ends"] > now.timestamp()]
            if not rows:
                raise NotPossible(
                    f"{named} is neither the serial of a valid certificate, nor a proxy or a SPIFFE id that has one; "
                    "`whymesh ca status` lists them, and `whymesh ca revoke` is for tokens and node keys"
                )
            for row in rows:
                _must_be_able(row)
                self._ledger.sql.execute(
                    "INSERT OR REPLACE INTO denied (serial, reason, since, ends) VALUES (?, ?, ?, ?)",
                    (row["serial"], reason, now.timestamp(), row["ends"]),
                )
        return [row["serial"] for row in rows]

    def undo(self, named: str) -> list[str]:
        """Has what is named believed again and returns the serials; raises NotPossible when none of it is denied."""
        with self._ledger.change():
            denied = {row["serial"] for row in self._ledger.sql.execute("SELECT serial FROM denied")}
            found = [row["serial"] for row in self._named(named) if row["serial"] in denied]
            if not found:
                raise NotPossible(f"no certificate of {named} is denied; `whymesh ca denied` lists those that are")
            self._ledger.sql.executemany("DELETE FROM denied WHERE serial = ?", [(serial,) for serial in found])
        return found

    def every(self, now: datetime) -> Iterator[Denial]:
        """Those that count, the oldest first: a little longer than the certificate, for clocks that are behind."""
        rows = self._ledger.sql.execute(
            "SELECT * FROM denied JOIN issued USING (serial, ends) WHERE ends > ? ORDER BY since, serial",
            ((now - SKEW).timestamp(),),
        )
        for row in rows.fetchall():
            since, ends = moment(row["since"]), moment(row["ends"])
            yield Denial(row["serial"], row["proxy"], row["uri"], row["reason"], since, ends)

    def _named(self, named: str) -> list[sqlite3.Row]:
        return self._ledger.sql.execute(
            "SELECT serial, ends, certificate, key FROM issued LEFT JOIN signers ON signers.id = issued.issuer "
            "WHERE serial = ? OR proxy IN (?, ?) OR uri = ? ORDER BY serial",
            (named.lower(), named, named + APPLICATION, named),
        ).fetchall()


def _must_be_able(row: sqlite3.Row) -> None:
    """Only who signed a certificate can deny it."""
    if row["key"] is None:
        raise NotPossible(
            f"the certificate {row['serial']} was signed by an issuer whose key is gone, so nobody can deny it: "
            "`whymesh ca rotate root` ends it, as soon as every proxy has another one"
        )
    if not signs_lists(x509.load_der_x509_certificate(row["certificate"])):
        raise NotPossible(
            f"the certificate {row['serial']} was signed by an issuer that may sign no lists (keyUsage cRLSign): "
            "bring one along that may, with `whymesh ca import`"
        )
