"""Keeps registrations over a restart of the control plane.

In: registrations as they begin and end. Out: one row of an SQLite table for each. Never: renewals, which would be a
write every few seconds for each instance; after a restart every lease begins anew instead.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from proxy.control.discovery.instance import Registration


class KeptRegistrations:
    """A table of its own; without a path it lasts as long as the process."""

    def __init__(self, path: Path | None) -> None:
        """Opens or makes the file; raises ValueError when it is none that this control plane wrote."""
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._rows = sqlite3.connect(path or ":memory:", isolation_level=None)
        try:
            self._rows.execute("PRAGMA journal_mode = WAL")
            self._rows.execute("CREATE TABLE IF NOT EXISTS instances (name TEXT PRIMARY KEY, registration TEXT)")
        except sqlite3.DatabaseError as error:
            self._rows.close()
            raise ValueError(f"{path}: {error}; remove it, and instances will register themselves again") from None

    def all(self) -> list[Registration]:
        """Every registration kept, in the order in which they were; raises ValueError when one cannot be read."""
        rows = self._rows.execute("SELECT name, registration FROM instances ORDER BY rowid").fetchall()
        try:
            return [Registration.model_validate_json(registration) for _, registration in rows]
        except ValidationError as error:
            raise ValueError(f"{self._path}: not what this control plane wrote: {error.errors()[0]['msg']}") from None

    def keep(self, registration: Registration) -> None:
        """Writes one, in the place of an earlier one of the same instance."""
        self._rows.execute(
            "INSERT INTO instances VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET registration = excluded.registration",
            (registration.instance, registration.written()),
        )

    def forget(self, instances: Iterable[str]) -> None:
        """Takes out those that are gone."""
        self._rows.executemany("DELETE FROM instances WHERE name = ?", [(instance,) for instance in instances])

    def close(self) -> None:
        """Lets go of the file."""
        self._rows.close()
