"""Which of several control planes over one state leads: whoever holds the lease, until it runs out.

In: the time. Out: whether this one leads, and where the leader is. Never: two that write; whoever lost the lease
meanwhile is stopped in the transaction that would have written.
"""

from __future__ import annotations

import secrets
import sqlite3

from proxy.control.errors import NotLeading
from proxy.control.state.database import transaction

HOLDS_S = 3.0
"""Within this time after a leader is gone another one leads."""


class Lease:
    """The lease as one process sees it."""

    def __init__(self, sql: sqlite3.Connection) -> None:
        self._sql = sql
        self._me = secrets.token_hex(8)

    def take(self, url: str, now: float) -> bool:
        """Takes the lease, or holds it for longer; False while another process has it. `now` is Unix time.

        Whoever was at the same `url` is gone: nobody else can be there.
        """
        with transaction(self._sql):
            row = self._row()
            others = row is not None and row["holder"] != self._me and row["url"] != url
            if row is not None and others and now < row["until"] <= now + HOLDS_S:
                return False
            self._sql.execute("INSERT OR REPLACE INTO lease VALUES (1, ?, ?, ?)", (self._me, url, now + HOLDS_S))
        return True

    def release(self) -> None:
        """Lets another process lead at once."""
        with transaction(self._sql):
            self._sql.execute("DELETE FROM lease WHERE holder = ?", (self._me,))

    def confirm(self) -> None:
        """Raises NotLeading when another process has the lease; belongs into the transaction that writes."""
        row = self._row()
        if row is None or row["holder"] != self._me:
            raise NotLeading(row["url"] if row else "")

    def leader(self) -> str:
        """Where whoever took the lease last is; empty before anybody did."""
        row = self._row()
        return str(row["url"]) if row else ""

    def _row(self) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._sql.execute("SELECT * FROM lease").fetchone()
        return row
