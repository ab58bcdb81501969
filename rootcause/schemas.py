"""`python -m rootcause.schemas docs/schemas`: the published shapes of all JSON that the engine gives others.

In: the models behind it. Out: JSON Schema, draft 2020-12, a file each.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter

from rootcause.alerts.notice import Event
from rootcause.explain.finding import Finding
from rootcause.explain.trace_story import TraceStory
from rootcause.judge.diagnose import State
from rootcause.promises.alarms import Alarm

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class IncidentMessage(_Shape):
    """What a webhook is told of an incident."""

    event: Event
    sent_at: datetime
    finding: Finding


class AlarmMessage(_Shape):
    """What a webhook is told of an objective or a rule."""

    event: Event
    sent_at: datetime
    alarm: Alarm


class Why(_Shape):
    """`GET /v1/why` and `whymesh why --json`: `finding` is the incident that is open longest, `also` those beside it;
    `checked` says what the answer rests on; `blind` since when and why nothing is known, so that the rest is old,
    empty as long as all is seen."""

    state: State
    summary: str
    blind: str
    finding: Finding | None
    also: tuple[Finding, ...]
    checked: dict[str, Any]
    alarms: tuple[Alarm, ...]


SHAPES: Mapping[str, TypeAdapter[Any]] = {
    "finding": TypeAdapter(Finding),
    "message": TypeAdapter(IncidentMessage | AlarmMessage),
    "request": TypeAdapter(TraceStory),
    "why": TypeAdapter(Why),
}


def schema(name: str) -> str:
    """The schema of one shape as indented JSON."""
    made = {"$schema": _DRAFT, **SHAPES[name].json_schema(mode="serialization")}
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for name in SHAPES:
        (Path(sys.argv[1]) / f"{name}.json").write_text(schema(name))
