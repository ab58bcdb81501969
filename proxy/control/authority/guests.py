"""Who may have a proxy's snapshots over TLS: that proxy, by its certificate, or by what it is about to join with.

In: the certificate of a connection, a token, the ledger. Out: why not, or nothing. Pure but for the ledger.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from proxy.control.authority.errors import Refused
from proxy.control.authority.ledger import Ledger
from proxy.control.authority.members import APPLICATION
from proxy.control.authority.passes import Passes


def why_not(ledger: Ledger, proxy: str | None, shown: bytes | None, token: str, now: datetime) -> str | None:
    """What is missing for somebody to be this proxy, or any at all for None; `shown` is DER that TLS has verified."""
    if shown is not None:
        return _by_certificate(ledger, proxy, shown, now)
    if not token:
        return "over TLS a proxy shows its certificate, or what it joins with (Authorization: Bearer …)"
    try:
        Passes(ledger).check(token, proxy, now)
    except Refused as error:
        return str(error)
    return None


def _by_certificate(ledger: Ledger, proxy: str | None, shown: bytes, now: datetime) -> str | None:
    row = ledger.sql.execute(
        "SELECT proxy, serial, ends, serial IN (SELECT serial FROM denied) AS denied FROM issued WHERE fingerprint = ?",
        (hashlib.sha256(shown).digest(),),
    ).fetchone()
    if row is None:
        return "the certificate of this connection was not issued by this authority"
    if row["denied"]:
        return f"the certificate {row['serial']} is denied"
    if row["ends"] <= now.timestamp():
        return f"the certificate {row['serial']} has ended"
    if proxy is not None and row["proxy"] not in (proxy, proxy + APPLICATION):
        return f"the certificate {row['serial']} is that of {row['proxy']}, not of {proxy}"
    return None
