"""Remembers of which incidents and alarms each target was told the beginning and the end, and in which labels.

In: events that are to be taken into the outbox, on its connection. Out: what news they are to a target. An incident is
explained ever better while it lasts, so its labels change; receivers know it by the first ones. Its severity rises, and
never falls, for nobody goes back to bed because it is less grave for a while.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import cast

from rootcause.alerts.notice import Event, Notice
from rootcause.promises.alarms import Severity, reaches

_TABLE = """
CREATE TABLE IF NOT EXISTS told (
    target TEXT NOT NULL,
    incident TEXT NOT NULL,
    severity TEXT NOT NULL,
    labels TEXT NOT NULL,
    began_at REAL NOT NULL,
    ended_at REAL,
    PRIMARY KEY (target, incident)
)
"""
REMEMBERED_S = 7 * 86_400.0
"""So long after its end an incident is still known."""


class Told:
    """A table beside the messages; changes are part of the transaction that is open."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._db.execute(_TABLE)

    def news(self, target: str, event: Event, notice: Notice) -> Event | None:
        """What it is to the target: a beginning once, and again when it was reopened since its end was told; that it
        goes on if it is graver now; anything else only between beginning and end."""
        row = self._row("ended_at, severity", target, notice.id)
        if row is None:
            return event if event == "opened" else None
        ended_at, severity = row
        if ended_at is not None:
            again = notice.again_at is not None and notice.again_at.timestamp() > float(ended_at)
            return "reopened" if event == "opened" and again else None
        if event != "opened":
            return event
        return None if reaches(_severity(severity), notice.severity) else "worsened"

    def goes_on(self, target: str, incident: str) -> bool:
        """Whether the target was told of its beginning and not of its end."""
        return self._row("ended_at", target, incident) == (None,)

    def begin(self, target: str, notice: Notice, now: float) -> None:
        """From now on the target knows it, maybe once more, by these labels."""
        self._db.execute(
            "INSERT OR REPLACE INTO told (target, incident, severity, labels, began_at) VALUES (?, ?, ?, ?, ?)",
            (target, notice.id, notice.severity, json.dumps(notice.labels), now),
        )

    def worsen(self, target: str, notice: Notice) -> Notice:
        """From now on the target knows it as so grave; the notice says what it was."""
        was = self.as_known(target, notice)
        self._db.execute(
            "UPDATE told SET severity = ? WHERE target = ? AND incident = ?", (notice.severity, target, notice.id)
        )
        return notice.model_copy(update={"was": was.severity, "labels": was.labels})

    def end(self, target: str, incident: str, now: float) -> None:
        """It is over for the target; those that were over long ago are forgotten."""
        self._db.execute("UPDATE told SET ended_at = ? WHERE target = ? AND incident = ?", (now, target, incident))
        self._db.execute("DELETE FROM told WHERE ended_at < ?", (now - REMEMBERED_S,))

    def as_known(self, target: str, notice: Notice) -> Notice:
        """The notice in the labels of the beginning and the severity that was told last, if anything was."""
        row = self._row("severity, labels", target, notice.id)
        if row is None:
            return notice
        severity, labels = row
        return notice.model_copy(update={"severity": severity, "labels": json.loads(str(labels))})

    def unended(self, targets: Sequence[str]) -> list[str]:
        """Those without an end for one of the targets, the oldest first."""
        marks = ", ".join("?" * len(targets))
        rows = self._db.execute(
            f"SELECT incident FROM told WHERE ended_at IS NULL AND target IN ({marks})"
            " GROUP BY incident ORDER BY min(began_at)",
            tuple(targets),
        )
        return [str(incident) for (incident,) in rows]

    def forget(self, incident: str) -> None:
        """As if nobody had been told."""
        self._db.execute("DELETE FROM told WHERE incident = ?", (incident,))

    def _row(self, columns: str, target: str, incident: str) -> tuple[str | None, ...] | None:
        found: tuple[str | None, ...] | None = self._db.execute(
            f"SELECT {columns} FROM told WHERE target = ? AND incident = ?",
            (target, incident),
        ).fetchone()
        return found


def _severity(cell: str | None) -> Severity:
    """As `begin` and `worsen` wrote it."""
    return cast(Severity, cell)
