"""Reads the Finding of an incident, as the root-cause engine stored it, into what the page shows.

In: the JSON of `mesh_incidents.Finding`. Out: a FindingSheet. A field that is absent is empty, never an error, because
the store may hold findings of an older or newer engine.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dashboards import figures

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Suspect:
    """One line of the ranking; times in milliseconds, errors as a share, None where the engine had no figure."""

    service: str
    score: float
    own_time: tuple[float | None, float | None]
    own_errors: tuple[float | None, float | None]
    link: tuple[float | None, float | None]
    why: str


@dataclass(frozen=True)
class Evidence:
    """A statement and the SQL that shows it."""

    statement: str
    sql: str


@dataclass(frozen=True)
class OnPath:
    """Where a request spends its time, in milliseconds: of a service, or between two."""

    where: str
    change: tuple[float | None, float | None]
    added: float
    beside: float


@dataclass(frozen=True)
class FindingSheet:
    """One incident's proof."""

    id: str
    title: str
    state: str
    held_back: bool
    reopened: int
    opened_at: datetime | None
    reopened_at: datetime | None
    resolved_at: datetime | None
    onset: Json
    symptom: Json
    culprit: Json
    confidence: float
    contribution: Json
    ranking: tuple[Suspect, ...]
    ruled_out: tuple[tuple[str, str], ...]
    exemplars: tuple[str, ...]
    counter_exemplars: tuple[str, ...]
    change: Json | None
    evidence: tuple[Evidence, ...]
    path: tuple[OnPath, ...]
    gaps: tuple[str, ...]
    baseline: tuple[datetime, datetime] | None
    incident: tuple[datetime, datetime] | None
    acknowledged: Json | None
    notes: tuple[Json, ...]

    @property
    def began(self) -> str:
        """To the second, as far as single requests told: `2026-01-02 03:04:05 UTC, give or take 2 s`."""
        at = moment(self.onset.get("at"))
        within = max(1, round(float(self.onset.get("within_s") or 0)))
        return f"{figures.clock(at)}, give or take {within} s" if at else ""

    @property
    def culprit_name(self) -> str:
        """The culprit as far down as the evidence reaches: `payments v2 on payments-1, POST /charge`."""
        if self.culprit.get("link"):
            return f"link {self.culprit['link']}".replace("link * -> ", "link to ")
        parts = [str(self.culprit.get("service") or "unknown")]
        if self.culprit.get("version"):
            parts.append(str(self.culprit["version"]))
        if self.culprit.get("instance"):
            parts.append(f"on {self.culprit['instance']}")
        return " ".join(parts)


def read(text: str) -> FindingSheet:
    """Raises ValueError when the text is not a JSON object."""
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("a Finding is a JSON object")
    windows = _object(found.get("windows"))
    return FindingSheet(
        id=str(found.get("id") or ""),
        title=str(found.get("title") or "Incident"),
        state=str(found.get("state") or ""),
        held_back=bool(found.get("held_back")),
        reopened=int(found.get("reopened") or 0),
        opened_at=moment(found.get("opened_at")),
        reopened_at=moment(found.get("reopened_at")),
        resolved_at=moment(found.get("resolved_at")),
        onset=_object(found.get("onset")),
        symptom=_object(found.get("symptom")),
        culprit=_object(found.get("culprit")),
        confidence=float(found.get("confidence") or 0),
        contribution=_object(found.get("contribution")),
        ranking=tuple(_suspect(item) for item in _objects(found.get("ranking"))),
        ruled_out=tuple(
            (str(item.get("service", "")), str(item.get("why", ""))) for item in _objects(found.get("ruled_out"))
        ),
        exemplars=tuple(map(str, found.get("exemplars") or ())),
        counter_exemplars=tuple(map(str, found.get("counter_exemplars") or ())),
        change=_object(found.get("change")) or None,
        evidence=tuple(
            Evidence(str(item.get("statement", "")), str(item.get("sql") or ""))
            for item in _objects(found.get("evidence"))
        ),
        path=tuple(_on_path(item) for item in _objects(found.get("path"))),
        gaps=tuple(str(item.get("statement", "")) for item in _objects(found.get("gaps"))),
        baseline=_span(windows.get("baseline")),
        incident=_span(windows.get("incident")),
        acknowledged=_object(found.get("acknowledged")) or None,
        notes=tuple(_objects(found.get("notes"))),
    )


def moment(value: object) -> datetime | None:
    """An ISO 8601 time or seconds since 1970, as an aware UTC time."""
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    if not isinstance(value, str) or not value:
        return None
    parsed = datetime.fromisoformat(value)
    return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> Sequence[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _suspect(item: Json) -> Suspect:
    return Suspect(
        service=str(item.get("service", "")),
        score=float(item.get("score") or 0),
        own_time=_change(item.get("own_time_ms")),
        own_errors=_change(item.get("own_errors")),
        link=_change(item.get("link_ms")),
        why=str(item.get("why") or ""),
    )


def _on_path(item: Json) -> OnPath:
    return OnPath(
        where=str(item.get("where", "")),
        change=(item.get("baseline_ms"), item.get("observed_ms")),
        added=float(item.get("added_ms") or 0),
        beside=float(item.get("beside_ms") or 0),
    )


def _change(value: object) -> tuple[float | None, float | None]:
    found = _object(value)
    return found.get("baseline"), found.get("observed")


def _span(value: object) -> tuple[datetime, datetime] | None:
    if not isinstance(value, list | tuple) or len(value) != 2:
        return None
    start, end = moment(value[0]), moment(value[1])
    return (start, end) if start and end else None
