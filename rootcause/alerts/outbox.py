"""Keeps messages on disk until they are delivered, each target's in order.

In: messages for targets. Out: the oldest one of a target. Never: one that was taken in lost over a restart, unless the
disk is; a message of which nobody knows whether it arrived is sent again, with the same id.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from rootcause.alerts.notice import Event

_TABLE = """
CREATE TABLE IF NOT EXISTS notice (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    target TEXT NOT NULL,
    incident TEXT NOT NULL,
    event TEXT NOT NULL,
    notice TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    queued_at REAL NOT NULL
)
"""
MOST = 1_000
"""Messages that may wait for one target."""


class OutboxRefused(ValueError):
    """The outbox cannot be used; the message names the file."""


@dataclass(frozen=True, slots=True)
class Message:
    """One event of one incident for one target; `id` is the same each time it is sent."""

    number: int
    target: str
    incident: str
    event: Event
    notice: str
    attempts: int
    queued_at: float

    @property
    def id(self) -> str:
        return f"{self.incident}.{self.event}.{self.number}"


class Outbox:
    """One SQLite file, or memory only without a path. Small writes, made where they are asked for."""

    def __init__(self, path: Path | None) -> None:
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute(_TABLE)
        except (sqlite3.Error, OSError) as error:
            raise OutboxRefused(f"outbox {path}: {error}; remove the file to start with an empty one") from None

    def put(self, target: str, incident: str, event: Event, notice: str, now: float) -> bool:
        """Takes a message in; False when too many wait for this target."""
        (waiting,) = self._db.execute("SELECT count(*) FROM notice WHERE target = ?", (target,)).fetchone()
        if waiting >= MOST:
            return False
        self._db.execute(
            "INSERT INTO notice (target, incident, event, notice, queued_at) VALUES (?, ?, ?, ?, ?)",
            (target, incident, event, notice, now),
        )
        return True

    def first(self, target: str) -> Message | None:
        """The oldest message of a target."""
        row = self._db.execute(
            "SELECT number, target, incident, event, notice, attempts, queued_at FROM notice WHERE target = ?"
            " ORDER BY number LIMIT 1",
            (target,),
        ).fetchone()
        return Message(*row) if row else None

    def tried(self, message: Message) -> Message:
        """Counts an attempt."""
        self._db.execute("UPDATE notice SET attempts = attempts + 1 WHERE number = ?", (message.number,))
        first = self.first(message.target)
        assert first is not None, "what is being tried is there"
        return first

    def done(self, message: Message) -> None:
        """Lets go of a message."""
        self._db.execute("DELETE FROM notice WHERE number = ?", (message.number,))

    def waiting(self) -> int:
        """Messages of all targets."""
        (count,) = self._db.execute("SELECT count(*) FROM notice").fetchone()
        return int(count)

    def close(self) -> None:
        self._db.close()
