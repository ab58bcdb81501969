"""Keeps messages on disk until they are delivered, each target's in order, and who was told of what.

In: messages for targets. Out: the oldest one of a target. Never: one that was taken in lost over a restart, unless the
disk is, or full; a message of which nobody knows whether it arrived is sent again, with the same id; the beginning or
the end of one incident taken in twice for a target, or an end without a beginning.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from rootcause.alerts.notice import Event, Notice
from rootcause.alerts.told import Told

T = TypeVar("T")
log = logging.getLogger(__name__)

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

Taken = Literal["taken", "known", "full"]
"""Whether a message will go out; `known`: the target was told already, or was not told of the beginning."""


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


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages that are sent as one, the oldest first; `id` is the same each time the same ones are sent."""

    messages: tuple[Message, ...]

    def __bool__(self) -> bool:
        return bool(self.messages)

    @property
    def id(self) -> str:
        first, last = self.messages[0], self.messages[-1]
        return first.id if first is last else f"{first.id}-{last.number}"

    @property
    def numbers(self) -> tuple[int, ...]:
        return tuple(message.number for message in self.messages)

    @property
    def attempts(self) -> int:
        """How often the oldest was tried."""
        return self.messages[0].attempts


class Outbox:
    """One SQLite file, or memory only without a path. Small writes, made where they are asked for."""

    def __init__(self, path: Path | None) -> None:
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute(_TABLE)
            self._told = Told(self._db)
        except (sqlite3.Error, OSError) as error:
            raise OutboxRefused(f"outbox {path}: {error}; {_cure(error)}") from None
        self._path = path

    def put(self, target: str, event: Event, notice: Notice, now: float) -> Taken:
        """Takes a message in, in the labels in which the target was told of the beginning; `opened` of what was told
        before is `reopened` or `worsened`, if it is."""
        return self._written(lambda: self._put(target, event, notice, now))

    def _put(self, target: str, event: Event, notice: Notice, now: float) -> Taken:
        news = self._told.news(target, event, notice)
        if news is None:
            return "known"
        (waiting,) = self._db.execute("SELECT count(*) FROM notice WHERE target = ?", (target,)).fetchone()
        full = bool(waiting >= MOST)
        self._db.execute("BEGIN")
        if news in ("opened", "reopened"):
            self._told.begin(target, notice, now)
        elif news == "resolved":
            self._told.end(target, notice.id, now)
        known = self._told.worsen(target, notice) if news == "worsened" else self._told.as_known(target, notice)
        if not full:
            self._db.execute(
                "INSERT INTO notice (target, incident, event, notice, queued_at) VALUES (?, ?, ?, ?, ?)",
                (target, notice.id, news, known.model_dump_json(), now),
            )
        self._db.execute("COMMIT")
        return "full" if full else "taken"

    def still_open(self, target: str, notices: Iterable[Notice]) -> list[Notice]:
        """Those of whose beginning the target was told and of whose end it was not, as it knows them."""
        told = [one for one in notices if self._told.goes_on(target, one.id)]
        return [self._told.as_known(target, one) for one in told]

    def unended(self, targets: Sequence[str]) -> list[str]:
        """Incidents and alarms of whose end one of the targets was not told, the oldest first."""
        return self._told.unended(targets)

    def forget(self, incident: str) -> None:
        """Lets go of an incident that is nowhere else any more."""
        self._written(lambda: self._told.forget(incident))

    def next(self, target: str, most: int = 1) -> Batch:
        """The oldest messages of a target, up to `most`; none when none wait."""
        rows = self._db.execute(
            "SELECT number, target, incident, event, notice, attempts, queued_at FROM notice WHERE target = ?"
            " ORDER BY number LIMIT ?",
            (target, most),
        )
        return Batch(tuple(Message(*row) for row in rows))

    def tried(self, batch: Batch) -> Batch:
        """Counts an attempt."""
        counted = f"UPDATE notice SET attempts = attempts + 1 WHERE number IN ({_marks(batch)})"
        self._written(lambda: self._db.execute(counted, batch.numbers))
        return self.next(batch.messages[0].target, len(batch.messages))

    def done(self, batch: Batch) -> None:
        """Lets go of messages."""
        gone = f"DELETE FROM notice WHERE number IN ({_marks(batch)})"
        self._written(lambda: self._db.execute(gone, batch.numbers))

    def waiting(self, target: str = "") -> int:
        """Messages of a target, of all of them without one."""
        asked = "SELECT count(*) FROM notice WHERE ? IN ('', target)"
        (count,) = self._db.execute(asked, (target,)).fetchone()
        return int(count)

    def _written(self, write: Callable[[], T]) -> T:
        """What a write returns. A disk that takes nothing must not keep anybody from being told: from then on messages
        are in memory."""
        try:
            return write()
        except sqlite3.OperationalError as error:
            if self._path is None:
                raise
            log.error(
                "outbox %s: %s; until the next start messages are kept in memory; %s", self._path, error, _cure(error)
            )
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._db.backup(memory)
        self._db.close()
        self._db, self._told, self._path = memory, Told(memory), None
        return write()

    def close(self) -> None:
        self._db.close()


def _cure(error: Exception) -> str:
    if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
        return "remove the file to start with an empty one"
    return "make room there, or name another folder (--state) that this user may write to"


def _marks(batch: Batch) -> str:
    return ", ".join("?" * len(batch.messages))
