"""The proof sheet of one incident: the JSON that is stored, sent, shown and printed, the same everywhere."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from rootcause.load.changes import Change

ANY_SOURCE = "*"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Symptom(_Part):
    """What users feel, what is full before they do, or requests that no longer come. `unit` is "ms" (mean), "share"
    (0..1) or "requests/s" and holds for `baseline` and `observed`."""

    service: str
    route: str
    signal: Literal["latency", "errors", "saturation", "throughput"]
    baseline: float
    observed: float
    unit: str


class Culprit(_Part):
    """Who did it, as far down as the evidence reaches, empty beyond. `link` is "source -> destination", the source
    being "*" when the links of several callers are at fault. Of `node`, `zone`, `caller` and `attribute`
    ("key = value") one at most: what bad requests have in common, while others at the same time are well."""

    service: str
    version: str = ""
    instance: str = ""
    route: str = ""
    link: str = ""
    node: str = ""
    zone: str = ""
    caller: str = ""
    attribute: str = ""


class Contribution(_Part):
    """How much of the symptom the culprit explains: in the symptom's unit, and as a share of all that
    was added (0..1)."""

    value: float
    unit: str
    share: float


class Onset(_Part):
    """When it began: no more than `within_s` before or after."""

    at: datetime
    within_s: float


class Figures(_Part):
    """One figure in normal time and now."""

    baseline: float
    observed: float


class OnPath(_Part):
    """Time in ms of one service, or lost between two (`source -> destination`), in a request that users feel, on
    average: on its critical path in normal time and now, what that adds, and what ran beside the path now."""

    where: str
    baseline_ms: float
    observed_ms: float
    added_ms: float
    beside_ms: float


class Gap(_Part):
    """Of the service's traffic only `captured` (0..1) has spans."""

    service: str
    captured: float
    statement: str


class Ranked(_Part):
    """One suspect; `score` is the part (0..1) of what users feel that it explains. A figure is null where
    there is none."""

    service: str
    score: float
    own_time_ms: Figures | None
    own_errors: Figures | None
    link_ms: Figures | None
    why: str


class RuledOut(_Part):
    """A service that carried the trouble or could have, and why it is not to blame."""

    service: str
    why: str


class Evidence(_Part):
    """A statement, and the SQL that shows it; the SQL runs as printed."""

    statement: str
    sql: str


class Windows(_Part):
    """Normal time and the time in question, each from its first to its last moment."""

    baseline: tuple[datetime, datetime]
    incident: tuple[datetime, datetime]


class Note(_Part):
    """What a person said of an incident."""

    time: datetime
    by: str
    text: str


class Finding(_Part):
    """One incident with one root cause. `reopened` counts how often it came back after its end, the last time at
    `reopened_at`. `acknowledged` is who looks after it, and since when; `held_back` while nobody
    was told that it opened, because its culprit is silenced. `onset` is null where single requests do not tell. Parts
    of `path` add up to what requests with the symptom take longer, as far as their spans were looked at; for `gaps` the
    confidence is lower than it would be."""

    id: str
    state: Literal["open", "resolved"]
    opened_at: datetime
    reopened: int = 0
    reopened_at: datetime | None = None
    resolved_at: datetime | None = None
    updated_at: datetime
    title: str
    symptom: Symptom
    culprit: Culprit
    confidence: float
    contribution: Contribution
    ranking: tuple[Ranked, ...]
    ruled_out: tuple[RuledOut, ...]
    exemplars: tuple[str, ...]
    counter_exemplars: tuple[str, ...]
    change: Change | None
    evidence: tuple[Evidence, ...]
    windows: Windows
    acknowledged: Note | None = None
    notes: tuple[Note, ...] = ()
    held_back: bool = False
    onset: Onset | None = None
    path: tuple[OnPath, ...] = ()
    gaps: tuple[Gap, ...] = ()
