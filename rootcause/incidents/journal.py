"""Writes incidents, notifications and silences into the store, and reads incidents and silences back.

In: findings, deliveries, silences. Out: rows of mesh_incidents (the newest row of an id holds), mesh_alerts, and
mesh_silences (the newest row of a service).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from collector.store.client import Reader
from rootcause.explain.finding import Finding
from rootcause.incidents.silences import Silence

_INCIDENT = """
INSERT INTO otel.mesh_incidents SELECT %(id)s, %(state)s, %(opened)s, {resolved}, %(updated)s, %(title)s, %(signal)s,
    %(service)s, %(version)s, %(instance)s, %(route)s, %(link)s, %(confidence)s, %(finding)s
"""
_ALERT = """
INSERT INTO otel.mesh_alerts SELECT %(time)s, %(id)s, %(event)s, %(target)s, %(delivered)s, %(attempts)s, %(error)s
"""
_SILENCE = "INSERT INTO otel.mesh_silences SELECT %(service)s, %(until)s, %(by)s, %(because)s, %(time)s"
_SILENCES = "SELECT Service AS service, Until AS until, By AS by, Because AS because FROM otel.mesh_silences FINAL"
_INCIDENTS = "SELECT Finding FROM otel.mesh_incidents FINAL {where} ORDER BY OpenedAt DESC LIMIT 200"


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one notification; `target` carries no credentials."""

    time: datetime
    incident: str
    event: str
    target: str
    delivered: bool
    attempts: int
    error: str


class Journal:
    """One connection; not for several threads at once. Methods raise StoreUnavailable, QueryFailed."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def write_incident(self, finding: Finding) -> None:
        """Stores the state of an incident as of now."""
        self._reader.execute(
            _INCIDENT.format(resolved="NULL" if finding.resolved_at is None else "%(resolved)s"),
            {
                "id": finding.id,
                "state": finding.state,
                "opened": finding.opened_at,
                "updated": finding.updated_at,
                "title": finding.title,
                "signal": finding.symptom.signal,
                "service": finding.culprit.service,
                "version": finding.culprit.version,
                "instance": finding.culprit.instance,
                "route": finding.culprit.route,
                "link": finding.culprit.link,
                "confidence": finding.confidence,
                "finding": finding.model_dump_json(),
                **({"resolved": finding.resolved_at} if finding.resolved_at is not None else {}),
            },
        )

    def write_delivery(self, delivery: Delivery) -> None:
        """Stores what became of a notification."""
        self._reader.execute(
            _ALERT,
            {
                "time": delivery.time,
                "id": delivery.incident,
                "event": delivery.event,
                "target": delivery.target,
                "delivered": int(delivery.delivered),
                "attempts": delivery.attempts,
                "error": delivery.error,
            },
        )

    def write_silence(self, silence: Silence, now: datetime) -> None:
        """Stores a silence; it takes the place of the service's earlier one."""
        self._reader.execute(_SILENCE, {**silence.model_dump(), "time": now})

    def silences(self) -> list[Silence]:
        """The newest silence of each service, over or not."""
        return [Silence.model_validate(row) for row in self._reader.rows(_SILENCES)]

    def incidents(self, service: str = "") -> list[Finding]:
        """The newest 200 incidents, newest first; only those whose culprit is `service`, if given."""
        return self._read("WHERE Service = %(service)s" if service else "", {"service": service})

    def open_incidents(self, ended_since: datetime) -> list[Finding]:
        """Incidents that were open when somebody last wrote, and those that ended later than that."""
        return self._read("WHERE State = 'open' OR ResolvedAt >= %(since)s", {"since": ended_since})

    def incident(self, id: str) -> Finding | None:
        """One incident, None when there is none of this id."""
        found = self._read("WHERE Id = %(id)s", {"id": id})
        return found[0] if found else None

    def _read(self, where: str, params: Mapping[str, str | datetime]) -> list[Finding]:
        rows = self._reader.rows(_INCIDENTS.format(where=where), dict(params) or None)
        return [Finding.model_validate_json(row["Finding"]) for row in rows]
