"""Certificates that are not to be trusted although they hold.

In: a serial, or a proxy with all it has. Out: the serials, until each would have ended anyway. Proxies are told with
their next snapshot; lives of hours do the rest.
"""

from __future__ import annotations

from datetime import datetime

from proxy.control.authority.errors import NotPossible
from proxy.control.authority.ledger import Ledger
from proxy.control.authority.members import APPLICATION


def deny(ledger: Ledger, named: str, reason: str, now: datetime) -> list[str]:
    """Denies one certificate by its serial, or every certificate of a proxy; raises NotPossible when there is none."""
    with ledger.change():
        rows = ledger.sql.execute(
            "SELECT serial, ends FROM issued WHERE (serial = ? OR proxy IN (?, ?)) AND ends > ? ORDER BY serial",
            (named.lower(), named, named + APPLICATION, now.timestamp()),
        ).fetchall()
        if not rows:
            raise NotPossible(f"{named} is neither the serial of a valid certificate nor a proxy that has one")
        for row in rows:
            ledger.sql.execute(
                "INSERT OR REPLACE INTO denied (serial, reason, since, ends) VALUES (?, ?, ?, ?)",
                (row["serial"], reason, now.timestamp(), row["ends"]),
            )
    return [row["serial"] for row in rows]
