"""What shows that a proxy may join: a token that is good once, or the key of a node, good until it is revoked.

In: the proxies that may use one. Out: a line of text for the operator; the ledger keeps its digest only.
One for every proxy is that of the first that uses it. A lost answer is no lost token: whoever used it may ask again
with the same private key.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from proxy.control.authority.errors import NotPossible, Refused
from proxy.control.authority.ledger import Ledger, moment

Kind = Literal["token", "node"]
_FORM = re.compile(r"whymesh-(token|node)\.([0-9a-f]{12})\.([A-Za-z0-9_-]{43})")
_EVERY = "*"


@dataclass(frozen=True)
class Pass:
    """One token or node key as the ledger has it; `proxies` is None for every proxy."""

    id: str
    kind: Kind
    proxies: tuple[str, ...] | None
    ends: datetime | None
    revoked: bool
    used: int


class Passes:
    """Every token and node key of one authority."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def make(self, kind: Kind, proxies: Sequence[str] | None, now: datetime, life: timedelta | None) -> str:
        """A new token or node key; `life` is None for one that does not end."""
        number, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        self._ledger.sql.execute(
            "INSERT INTO passes (id, kind, digest, proxies, ends) VALUES (?, ?, ?, ?, ?)",
            (
                number,
                kind,
                _digest(secret),
                _EVERY if proxies is None else json.dumps(list(proxies)),
                (now + life).timestamp() if life else None,
            ),
        )
        return f"whymesh-{kind}.{number}.{secret}"

    def revoke(self, number: str) -> None:
        """Nobody joins with it from now on; raises NotPossible when there is none of that number."""
        if not self._ledger.sql.execute("UPDATE passes SET revoked = 1 WHERE id = ?", (number,)).rowcount:
            raise NotPossible(f"there is no token or node key {number}; `whymesh ca status` lists them")

    def every(self) -> list[Pass]:
        """Those that are kept, the newest last."""
        rows = self._ledger.sql.execute(
            "SELECT *, (SELECT count() FROM used WHERE pass = id) AS used FROM passes ORDER BY rowid"
        )
        return [
            Pass(
                row["id"],
                row["kind"],
                None if row["proxies"] == _EVERY else tuple(json.loads(row["proxies"])),
                moment(row["ends"]) if row["ends"] is not None else None,
                bool(row["revoked"]),
                row["used"],
            )
            for row in rows
        ]

    def admit(self, shown: str, proxy: str, uri: str, key: bytes, now: datetime) -> str:
        """Lets a proxy in and returns the number of what it showed; raises Refused. A token is used up by this."""
        with self._ledger.change():
            number, kind = self.check(shown, proxy, now)
            self._use(number, kind, proxy, uri, key)
        return number

    def check(self, shown: str, proxy: str | None, now: datetime) -> tuple[str, Kind]:
        """Whether it is good for this proxy, or for any where that is None; raises Refused. Nothing is used up."""
        match = _FORM.fullmatch(shown)
        if match is None:
            raise Refused("token_malformed", "what was shown is neither a token nor the key of a node")
        number = match[2]
        row = self._ledger.sql.execute("SELECT * FROM passes WHERE id = ?", (number,)).fetchone()
        if row is None or row["kind"] != match[1] or not hmac.compare_digest(row["digest"], _digest(match[3])):
            raise Refused("token_unknown", f"no token or node key {number} with this secret was made here")
        if row["revoked"]:
            raise Refused("token_revoked", f"the {_called(row['kind'])} {number} was revoked")
        if row["ends"] is not None and row["ends"] <= now.timestamp():
            ended = moment(row["ends"])
            raise Refused("token_expired", f"the {_called(row['kind'])} {number} ended at {ended:%F %T} UTC")
        if proxy is not None and row["proxies"] != _EVERY and proxy not in json.loads(row["proxies"]):
            raise Refused("token_other_proxy", f"the {_called(row['kind'])} {number} is not for {proxy}")
        return number, row["kind"]

    def _use(self, number: str, kind: Kind, proxy: str, uri: str, key: bytes) -> None:
        mark = hashlib.sha256(key).digest()
        used = self._ledger.sql.execute(
            "SELECT proxies, proxy, uri, key FROM used JOIN passes ON passes.id = used.pass WHERE pass = ?", (number,)
        )
        for row in used.fetchall() if kind == "token" else ():
            if row["proxy"] != proxy and row["proxies"] == _EVERY:
                raise Refused("token_used", f"the token {number} was used before, by {row['proxy']}")
            if (row["proxy"], row["uri"]) == (proxy, uri) and row["key"] != mark:
                raise Refused("token_used", f"the token {number} was used before, by somebody with another key")
        self._ledger.sql.execute(
            "INSERT OR REPLACE INTO used (pass, proxy, uri, key) VALUES (?, ?, ?, ?)", (number, proxy, uri, mark)
        )


def _called(kind: Kind) -> str:
    return "token" if kind == "token" else "node key"


def _digest(secret: str) -> bytes:
    """Enough for a secret of 256 random bits: nobody guesses what was hashed."""
    return hashlib.sha256(secret.encode()).digest()
