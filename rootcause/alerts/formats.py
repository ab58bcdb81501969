"""Says an incident in the words of whoever listens. Pure: a finding in, a JSON value out.

Sources: Alertmanager's API v2 (`POST /api/v2/alerts`), Slack's Block Kit, PagerDuty's Events API v2, Adaptive Cards 1.4
as Microsoft Teams' workflows take them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal, get_args

from rootcause import wording
from rootcause.finding import Finding

Event = Literal["opened", "acknowledged", "resolved"]
Format = Literal["json", "alertmanager", "slack", "pagerduty", "teams"]
FORMATS: tuple[Format, ...] = get_args(Format)

_PAGERDUTY_ACTIONS: Mapping[Event, str] = {"opened": "trigger", "acknowledged": "acknowledge", "resolved": "resolve"}
_LONGEST_SUMMARY = 1_024
"""PagerDuty cuts off summaries here; the others take more."""
_LONGEST_HEADER = 150
"""Of a Slack header block."""


def body(kind: Format, event: Event, finding: Finding, sent_at: datetime, key: str = "") -> Any:
    """What to send, as a JSON value; `key` is PagerDuty's integration key."""
    makers: Mapping[Format, Callable[[], Any]] = {
        "json": lambda: _json(event, finding, sent_at),
        "alertmanager": lambda: _alertmanager(event, finding),
        "slack": lambda: _slack(event, finding),
        "pagerduty": lambda: _pagerduty(event, finding, key),
        "teams": lambda: _teams(event, finding),
    }
    return makers[kind]()


def _json(event: Event, finding: Finding, sent_at: datetime) -> Any:
    return {"event": event, "sent_at": sent_at.isoformat(), "finding": finding.model_dump(mode="json")}


def _alertmanager(event: Event, finding: Finding) -> Any:
    labels = {"alertname": "WhymeshIncident", "incident": finding.id, "severity": _severity(finding)}
    labels |= {name: value for name, value in finding.culprit.model_dump().items() if value}
    alert: dict[str, Any] = {
        "labels": labels,
        "annotations": {"summary": finding.title, "description": _why(finding)},
        "startsAt": finding.opened_at.isoformat(),
    }
    if finding.acknowledged:
        alert["annotations"]["acknowledged_by"] = finding.acknowledged.by
    if event == "resolved":
        alert["endsAt"] = (finding.resolved_at or finding.updated_at).isoformat()
    return [alert]


def _slack(event: Event, finding: Finding) -> Any:
    fields = [{"type": "mrkdwn", "text": f"*{name}*\n{_escaped(text)}"} for name, text in _facts(finding)]
    return {
        "text": _escaped(_headline(event, finding)),
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": _headline(event, finding)[:_LONGEST_HEADER]}},
            {"type": "section", "text": {"type": "mrkdwn", "text": _escaped(_why(finding))[:3_000]}},
            {"type": "section", "fields": fields},
            {"type": "context", "elements": [{"type": "mrkdwn", "text": f"`whymesh why {finding.id}`"}]},
        ],
    }


def _pagerduty(event: Event, finding: Finding, key: str) -> Any:
    told: dict[str, Any] = {
        "routing_key": key,
        "event_action": _PAGERDUTY_ACTIONS[event],
        "dedup_key": finding.id,
        "client": "whymesh",
    }
    if event == "opened":
        told["payload"] = {
            "summary": finding.title[:_LONGEST_SUMMARY],
            "source": finding.culprit.instance or finding.culprit.service,
            "severity": _severity(finding),
            "timestamp": finding.opened_at.isoformat(),
            "component": finding.culprit.service,
            "group": finding.culprit.version or finding.culprit.service,
            "class": finding.symptom.signal,
            "custom_details": dict(_facts(finding)) | {"why": _why(finding)},
        }
    return told


def _teams(event: Event, finding: Finding) -> Any:
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            {"type": "TextBlock", "size": "Large", "weight": "Bolder", "wrap": True, "text": _headline(event, finding)},
            {"type": "TextBlock", "wrap": True, "text": _why(finding)},
            {"type": "FactSet", "facts": [{"title": name, "value": text} for name, text in _facts(finding)]},
        ],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _headline(event: Event, finding: Finding) -> str:
    by = f" by {finding.acknowledged.by}" if event == "acknowledged" and finding.acknowledged else ""
    mark = {"opened": "Incident", "acknowledged": "Acknowledged", "resolved": "Resolved"}[event]
    return f"{mark}{by}: {finding.title}"


def _why(finding: Finding) -> str:
    first = finding.ranking[0].why if finding.ranking else ""
    change = f" Changed just before: {finding.change.summary}." if finding.change else ""
    return f"{finding.culprit.service}: {first}.{change}" if first else f"{finding.title}.{change}"


def _facts(finding: Finding) -> list[tuple[str, str]]:
    """Name and value of what a person looks at first."""
    symptom, culprit = finding.symptom, finding.culprit
    narrowed = " ".join(filter(None, (culprit.version, culprit.instance, culprit.route, culprit.link)))
    facts = [
        ("Culprit", f"{culprit.service} {narrowed}".strip()),
        (
            f"{symptom.signal.capitalize()} of {symptom.service} {symptom.route}".strip(),
            f"{wording.amount(symptom.baseline, symptom.unit)} -> {wording.amount(symptom.observed, symptom.unit)}",
        ),
        ("Explained", f"{wording.percent(finding.contribution.share)}, confidence {finding.confidence:.2f}"),
        ("Since", f"{finding.opened_at:%Y-%m-%d %H:%M:%S} UTC"),
    ]
    return facts + [("Trace", trace) for trace in finding.exemplars[:1]]


def _severity(finding: Finding) -> str:
    """Failed requests are worse than slow ones, and something full is a warning."""
    return {"errors": "critical", "latency": "error", "saturation": "warning"}[finding.symptom.signal]


def _escaped(text: str) -> str:
    """As Slack wants text that is no markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
