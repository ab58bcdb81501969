"""Everything a control plane must know after a restart.

In: epochs as they begin. Out: the documents in force, what was said over the API, the history.
Never: half an epoch, or one of a control plane that no longer leads.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from proxy.control.epochs.overlay import Said
from proxy.control.epochs.written import Key, Written
from proxy.control.errors import ConfigRefused, StateUnusable
from proxy.control.reading.parse import parse
from proxy.control.state.database import opened, transaction
from proxy.control.state.lease import Lease

Row = tuple[Any, ...]

KEPT = 10_000
"""Epochs of which the history tells."""


@dataclass(frozen=True)
class Kept:
    """What is in force; `versions` has the epoch that changed each document last."""

    epoch: int
    digest: str
    documents: tuple[Written, ...]
    versions: dict[Key, int]


@dataclass(frozen=True)
class Revision:
    """One document before and after an epoch, as JSON texts; None: there was none, or is none."""

    key: Key
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Epoch:
    """One entry of the history."""

    epoch: int
    at: datetime
    actor: str
    changes: tuple[str, ...]
    digest: str


class State:
    """One connection to the file; raises StateUnusable when it cannot be opened."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.sql = opened(folder)
        self.lease = Lease(self.sql)

    def newest(self) -> int:
        """The last epoch; 0 before the first."""
        return int(self.sql.execute("SELECT coalesce(max(epoch), 0) FROM epochs").fetchone()[0])

    def in_force(self) -> Kept:
        """The documents of the last epoch; one that this whymesh does not understand is left out."""
        rows = self.sql.execute("SELECT * FROM documents ORDER BY place").fetchall()
        parsed = [(row, parse("state", json.loads(row["body"]), [], row["origin"])) for row in rows]
        written = tuple(one for _, one in parsed if one is not None)
        epoch = self.epoch(self.newest())
        number, digest = (epoch.epoch, epoch.digest) if epoch else (0, "")
        return Kept(number, digest, written, {_key(row): row["version"] for row in rows})

    def known(self) -> str | None:
        """What was known beside the documents as of the last epoch."""
        row = self.sql.execute("SELECT body FROM known").fetchone()
        return str(row["body"]) if row else None

    def said(self) -> dict[Key, Said]:
        """What was said over the API; raises ConfigRefused when this whymesh does not take it any more."""
        found: dict[Key, Said] = {}
        mistakes: list[str] = []
        for row in self.sql.execute("SELECT * FROM said"):
            key = _key(row)
            where = "written over the API"
            written = parse(where, json.loads(row["body"]), mistakes, "api") if row["body"] else None
            found[key] = Said(written, row["over_file"])
        if mistakes:
            raise ConfigRefused([f"{mistake}; write it into the file: the last word counts" for mistake in mistakes])
        return found

    def keep(
        self,
        epoch: Epoch,
        documents: Sequence[Written],
        versions: Mapping[Key, int],
        said: Mapping[Key, Said],
        revisions: Iterable[Revision],
        known: str,
    ) -> None:
        """Writes an epoch; raises NotLeading when another control plane leads, StateUnusable when it cannot."""
        sql = self.sql
        rows = [
            (place, *one.key, one.origin, versions[one.key], one.text) for place, one in enumerate(documents, start=1)
        ]
        spoken = [(*key, one.written.text if one.written else None, one.over) for key, one in said.items()]
        changed = [(epoch.epoch, *one.key, one.before, one.after) for one in revisions]
        try:
            with transaction(sql):
                self.lease.confirm()
                self._write(epoch, rows, spoken, changed, known)
        except sqlite3.Error as error:
            raise StateUnusable(f"{self.folder}: epoch {epoch.epoch} cannot be kept: {error}") from None

    def history(self, most: int, before: int | None = None) -> list[Epoch]:
        """The last epochs, or those before one, the newest first."""
        rows = self.sql.execute(
            "SELECT * FROM epochs WHERE epoch < ? ORDER BY epoch DESC LIMIT ?", (before or 2**62, most)
        )
        return [_epoch(row) for row in rows]

    def epoch(self, number: int) -> Epoch | None:
        """One epoch, if the history still has it."""
        row = self.sql.execute("SELECT * FROM epochs WHERE epoch = ?", (number,)).fetchone()
        return _epoch(row) if row else None

    def revisions(self, epoch: int) -> list[Revision]:
        """What one epoch did to documents."""
        rows = self.sql.execute("SELECT * FROM revisions WHERE epoch = ? ORDER BY kind, namespace, name", (epoch,))
        return [Revision(_key(row), row["before"], row["after"]) for row in rows]

    def as_of(self, epoch: int) -> dict[Key, str]:
        """The documents that were in force as of an epoch: those of today with every later change undone."""
        found = {_key(row): str(row["body"]) for row in self.sql.execute("SELECT * FROM documents")}
        for row in self.sql.execute("SELECT * FROM revisions WHERE epoch > ? ORDER BY epoch DESC", (epoch,)):
            if row["before"] is None:
                found.pop(_key(row), None)
            else:
                found[_key(row)] = row["before"]
        return found

    def close(self) -> None:
        """Nothing more is read or written."""
        self.sql.close()

    def _write(self, epoch: Epoch, documents: list[Row], said: list[Row], revisions: list[Row], known: str) -> None:
        sql = self.sql
        sql.execute(
            "INSERT INTO epochs VALUES (?, ?, ?, ?, ?)",
            (epoch.epoch, epoch.at.astimezone(UTC).isoformat(), epoch.actor, json.dumps(epoch.changes), epoch.digest),
        )
        sql.executemany("INSERT INTO revisions VALUES (?, ?, ?, ?, ?, ?)", revisions)
        sql.execute("DELETE FROM documents")
        sql.executemany("INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?)", documents)
        sql.execute("DELETE FROM said")
        sql.executemany("INSERT INTO said VALUES (?, ?, ?, ?, ?)", said)
        sql.execute("INSERT OR REPLACE INTO known VALUES (1, ?)", (known,))
        for table in ("epochs", "revisions"):
            sql.execute(f"DELETE FROM {table} WHERE epoch <= ?", (epoch.epoch - KEPT,))


def _key(row: sqlite3.Row) -> Key:
    return Key(row["kind"], row["namespace"], row["name"])


def _epoch(row: sqlite3.Row) -> Epoch:
    at, changes = datetime.fromisoformat(row["at"]), tuple(json.loads(row["changes"]))
    return Epoch(row["epoch"], at, row["actor"], changes, row["digest"])
