"""Bearer tokens of those who may change the configuration from another machine.

In: names. Out: tokens, each shown once; what is kept is a hash, of which a token of 256 random bits needs no more
than one round. Never: a token that can be read again.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from datetime import datetime

from proxy.control.state.database import transaction

PREFIX = "whymesh_"


class Tokens:
    """Those of one state."""

    def __init__(self, sql: sqlite3.Connection) -> None:
        self._sql = sql

    def make(self, name: str, now: datetime) -> str:
        """A token of that name; one that was there before holds no longer."""
        token = PREFIX + secrets.token_urlsafe(32)
        with transaction(self._sql):
            self._sql.execute("INSERT OR REPLACE INTO tokens VALUES (?, ?, ?)", (name, _hash(token), now.isoformat()))
        return token

    def name_of(self, token: str) -> str | None:
        """Whose it is; None: nobody's."""
        row = self._sql.execute("SELECT name FROM tokens WHERE hash = ?", (_hash(token),)).fetchone()
        return str(row["name"]) if row else None

    def all(self) -> list[tuple[str, str]]:
        """Names, and when each was made."""
        return [(row["name"], row["made"]) for row in self._sql.execute("SELECT name, made FROM tokens ORDER BY name")]

    def revoke(self, name: str) -> bool:
        """Ends a token; False when there was none of that name."""
        with transaction(self._sql):
            return self._sql.execute("DELETE FROM tokens WHERE name = ?", (name,)).rowcount > 0


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
