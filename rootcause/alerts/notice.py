"""What every listener is told of, whether it is an incident or an alarm: the same few parts, for all formats.

In: a finding or an alarm. Out: a notice, which is also what waits in the outbox.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict

from rootcause.explain import wording
from rootcause.explain.finding import Finding
from rootcause.explain.quantities import amount, percent
from rootcause.promises.alarms import Alarm, Kind, Severity

Event = Literal["opened", "reopened", "worsened", "acknowledged", "resolved"]
"""`reopened`: it was over and is not; `worsened`: it goes on, and is graver than what was told before."""


_ALARMS: Mapping[Kind, str] = {
    "objective": "WhymeshObjective",
    "rule": "WhymeshRule",
    "symptom": "WhymeshSymptom",
}


class Notice(BaseModel):
    """`detail` is the whole finding or alarm; `labels` stay the same from first to last message; `facts` are what a
    person looks at first; `command` shows more; `until` is when it ended, or was last seen; `was` is the severity that
    was told before it worsened; `again_at` is when it was reopened; `link`
    leads to it in the web UI."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    kind: Literal["finding", "alarm"]
    name: str
    title: str
    why: str
    severity: Severity
    was: Severity | None = None
    since: datetime
    until: datetime
    again_at: datetime | None = None
    labels: dict[str, str]
    facts: tuple[tuple[str, str], ...]
    source: str
    component: str
    group: str
    signal: str
    command: str
    link: str = ""
    acknowledged_by: str = ""
    detail: dict[str, Any]


def linked(notice: Notice, ui: str) -> Notice:
    """With the page of the incident, or the one that shows alarms; as it is where nobody says where the web UI is."""
    if not ui:
        return notice
    chosen = f"?{urlencode({'id': notice.id})}" if notice.kind == "finding" else ""
    return notice.model_copy(update={"link": f"{ui.rstrip('/')}/incidents{chosen}"})


def of_finding(finding: Finding) -> Notice:
    """An incident's."""
    culprit = finding.culprit
    named = {name: value for name, value in culprit.model_dump().items() if value}
    return Notice(
        id=finding.id,
        kind="finding",
        name="WhymeshIncident",
        title=finding.title,
        why=_why(finding),
        severity=_severity(finding),
        since=finding.reopened_at or finding.opened_at,
        until=finding.resolved_at or finding.updated_at,
        again_at=finding.reopened_at,
        labels={"incident": finding.id, **named},
        facts=tuple(_facts(finding)),
        source=culprit.instance or culprit.service,
        component=culprit.service,
        group=culprit.version or culprit.service,
        signal=finding.symptom.signal,
        command=f"whymesh why {finding.id}",
        acknowledged_by=finding.acknowledged.by if finding.acknowledged else "",
        detail=finding.model_dump(mode="json"),
    )


def of_alarm(alarm: Alarm) -> Notice:
    """An alarm's."""
    return Notice(
        id=alarm.id,
        kind="alarm",
        name=_ALARMS[alarm.kind],
        title=alarm.title,
        why=alarm.why,
        severity=alarm.severity,
        since=alarm.opened_at,
        until=alarm.resolved_at or alarm.updated_at,
        labels={"alarm": alarm.id, "rule": alarm.rule, **({"service": alarm.service} if alarm.service else {})},
        facts=(("Rule", alarm.rule), ("Since", f"{alarm.opened_at:%Y-%m-%d %H:%M:%S} UTC")),
        source=alarm.service or alarm.rule,
        component=alarm.service or alarm.rule,
        group=alarm.rule,
        signal=alarm.kind,
        command=f"whymesh why {alarm.id}",
        acknowledged_by=alarm.acknowledged.by if alarm.acknowledged else "",
        detail=alarm.model_dump(mode="json"),
    )


def _why(finding: Finding) -> str:
    first = finding.ranking[0].why if finding.ranking else ""
    change = f" Changed just before: {finding.change.summary}." if finding.change else ""
    return f"{finding.culprit.service}: {first}.{change}" if first else f"{finding.title}.{change}"


def _facts(finding: Finding) -> list[tuple[str, str]]:
    symptom, culprit = finding.symptom, finding.culprit
    facts = [
        ("Culprit", wording.named(culprit)),
        (
            f"{symptom.signal.capitalize()} of {symptom.service} {symptom.route}".strip(),
            f"{amount(symptom.baseline, symptom.unit)} -> {amount(symptom.observed, symptom.unit)}",
        ),
        (
            "Explained",
            f"{percent(finding.contribution.share)}, confidence {percent(finding.confidence)}",
        ),
        ("Since", f"{finding.reopened_at or finding.opened_at:%Y-%m-%d %H:%M:%S} UTC"),
    ]
    return facts + [("Trace", trace) for trace in finding.exemplars[:1]]


def _severity(finding: Finding) -> Severity:
    """Failed requests are worse than slow ones; something full, or no longer asked for, is a warning."""
    severities: dict[str, Severity] = {"errors": "critical", "latency": "error"}
    return severities.get(finding.symptom.signal, "warning")
