"""Writes alarms into the store, and reads them back.

In: alarms. Out: rows of mesh_alarms, of which the newest of an id holds.
"""

from __future__ import annotations

import json
from typing import Any

from collector.store.client import Reader
from rootcause.promises.alarms import Alarm

_WRITE = """
INSERT INTO otel.mesh_alarms (Id, Kind, Rule, Service, Severity, State, OpenedAt, UpdatedAt, ResolvedAt, Title, Why,
    Value, Limit, Sql, Acknowledged, Notes)
SELECT %(id)s, %(kind)s, %(rule)s, %(service)s, %(severity)s, %(state)s, %(opened_at)s, %(updated_at)s, {resolved},
    %(title)s, %(why)s, %(value)s, %(limit)s, %(sql)s, %(acknowledged)s, %(notes)s
"""
_READ = """
SELECT Id AS id, Kind AS kind, Rule AS rule, Service AS service, Severity AS severity, State AS state,
    OpenedAt AS opened_at, UpdatedAt AS updated_at, ResolvedAt AS resolved_at, Title AS title, Why AS why,
    Value AS value, Limit AS limit, Sql AS sql, Acknowledged AS acknowledged, Notes AS notes
FROM otel.mesh_alarms FINAL {where}
"""


class AlarmRows:
    """One connection; not for several threads at once. Methods raise StoreUnavailable, QueryFailed."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def write(self, alarm: Alarm) -> None:
        """Stores the state of an alarm as of now."""
        row = alarm.model_dump()
        row["acknowledged"] = alarm.acknowledged.model_dump_json() if alarm.acknowledged else ""
        row["notes"] = json.dumps([note.model_dump(mode="json") for note in alarm.notes])
        resolved = "NULL" if alarm.resolved_at is None else "%(resolved_at)s"
        known = {name: value for name, value in row.items() if value is not None}
        self._reader.execute(_WRITE.format(resolved=resolved), known)

    def open(self) -> list[Alarm]:
        """Those that were open when somebody last wrote, the oldest first."""
        return self._read("WHERE State = 'open' ORDER BY OpenedAt")

    def newest(self) -> list[Alarm]:
        """The newest 200, newest first."""
        return self._read("ORDER BY OpenedAt DESC LIMIT 200")

    def alarm(self, id: str) -> Alarm | None:
        """One alarm, None when there is none of this id."""
        found = self._read("WHERE Id = %(id)s", {"id": id})
        return found[0] if found else None

    def _read(self, where: str, params: dict[str, str] | None = None) -> list[Alarm]:
        return [_alarm(row) for row in self._reader.rows(_READ.format(where=where), params)]


def _alarm(row: dict[str, Any]) -> Alarm:
    """Rows of an engine that took in nothing of what people said have neither."""
    said = {"acknowledged": json.loads(row["acknowledged"] or "null"), "notes": json.loads(row["notes"] or "[]")}
    return Alarm.model_validate({**row, **said})
