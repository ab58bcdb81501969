"""Keeps the alarms: takes in what fires and what people say of them, and writes them down.

In: what rules found; acknowledgements, notes. Out: rows of the store, and what others are to be told. Any thread; none
that only looks waits for the store. Nothing is lost when the store is away: it is written later.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from collector.store.errors import QueryFailed, StoreUnavailable
from rootcause.explain.finding import Note
from rootcause.promises.alarm_rows import AlarmRows
from rootcause.promises.alarms import Alarm, Alarms, Firing

log = logging.getLogger(__name__)

REWRITE_S = 60.0
"""An open alarm is written again this often at most, unless it becomes graver."""

AlarmTold = tuple[Literal["opened", "worsened", "resolved"], Alarm]


class AlarmBook:
    """Open alarms, and what still has to be written."""

    def __init__(self, rows: AlarmRows) -> None:
        self._rows = rows
        self._memory = threading.Lock()
        self._writing = threading.Lock()  # taken first, and held while the store is asked: rows of one alarm in turn
        self._alarms: Alarms | None = None
        self._unwritten: dict[str, Alarm] = {}
        self._written_at: dict[str, float] = {}

    @property
    def open(self) -> tuple[Alarm, ...]:
        """The oldest first."""
        with self._memory:
            return self._alarms.open if self._alarms is not None else ()

    def resume(self) -> None:
        """Takes up, once, the open alarms that an earlier run left. Raises StoreUnavailable, QueryFailed."""
        with self._writing:
            if self._alarms is None:
                left = Alarms(self._rows.open())
                with self._memory:
                    self._alarms = left

    def judge(self, now: float, firing: Iterable[Firing], asked: Mapping[str, float]) -> list[AlarmTold]:
        """One round, after `resume`; `asked` as of `Alarms.judge`."""
        told: list[AlarmTold] = []
        with self._memory:
            assert self._alarms is not None, "alarms are judged when those of the earlier run are known"
            at = datetime.fromtimestamp(now, UTC)
            for event, alarm in self._alarms.judge(at, firing, asked, lambda: uuid.uuid4().hex[:12]):
                if event != "updated" or now - self._written_at.get(alarm.id, 0.0) >= REWRITE_S:
                    self._unwritten[alarm.id] = alarm
                    self._written_at[alarm.id] = now
                if event != "updated":
                    told.append((event, alarm))
                if event == "resolved":
                    del self._written_at[alarm.id]
        self._write()
        return told

    def acknowledge(self, id: str, said: Note) -> Alarm | None:
        """Somebody looks after it. None when there is no alarm of this id. Raises StoreUnavailable, QueryFailed."""
        return self._change(id, said.time, lambda alarm: {"acknowledged": said})

    def note(self, id: str, said: Note) -> Alarm | None:
        """Adds a note. None when there is no alarm of this id. Raises StoreUnavailable, QueryFailed."""
        return self._change(id, said.time, lambda alarm: {"notes": (*alarm.notes, said)})

    def _change(self, id: str, at: datetime, change: Callable[[Alarm], dict[str, Any]]) -> Alarm | None:
        with self._writing:
            with self._memory:
                alarm = self._held(id)
            alarm = alarm or self._rows.alarm(id)
            if alarm is None:
                return None
            changed = alarm.later(at, **change(alarm))
            self._rows.write(changed)
            with self._memory:
                held = self._held(id)
                if held is not None and held is not alarm:  # it went on while the store was asked
                    changed = self._unwritten[id] = held.later(changed.updated_at, **change(held))
                else:
                    self._unwritten.pop(id, None)
                if self._alarms is not None:
                    self._alarms.put(changed)
            return changed

    def _held(self, id: str) -> Alarm | None:
        """What memory has of an alarm, newer than any row."""
        found = self._alarms.open if self._alarms is not None else ()
        return next((alarm for alarm in found if alarm.id == id), self._unwritten.get(id))

    def _write(self) -> None:
        with self._writing:
            with self._memory:
                unwritten = list(self._unwritten.items())
            for id, alarm in unwritten:
                try:
                    self._rows.write(alarm)
                except (StoreUnavailable, QueryFailed) as error:
                    log.warning("alarm %s is not written yet: %s", id, error)
                    return
                with self._memory:
                    if self._unwritten.get(id) is alarm:
                        del self._unwritten[id]
