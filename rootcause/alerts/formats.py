"""Says a notice in the words of whoever listens. Pure: a notice in, a JSON value out.

Sources: Alertmanager's API v2 (`POST /api/v2/alerts`), Slack's Block Kit, PagerDuty's Events API v2, Adaptive Cards 1.4
as Microsoft Teams' workflows take them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, get_args

from rootcause.alerts.notice import Event, Notice

Told = tuple[Event, Notice]
Format = Literal["json", "alertmanager", "slack", "pagerduty", "teams"]
FORMATS: tuple[Format, ...] = get_args(Format)

_PAGERDUTY_ACTIONS: Mapping[Event, str] = {
    "opened": "trigger",
    "reopened": "trigger",
    "worsened": "trigger",
    "acknowledged": "acknowledge",
    "resolved": "resolve",
}
"""Another trigger of the same key is the same alert to PagerDuty, with the severity of the newest."""
_LONGEST_SUMMARY = 1_024
"""PagerDuty cuts off summaries here; the others take more."""
_LONGEST_HEADER = 150
"""Of a Slack header block."""


def body(kind: Format, event: Event, notice: Notice, sent_at: datetime, key: str = "") -> Any:
    """What to send, as a JSON value; `key` is PagerDuty's integration key."""
    makers: Mapping[Format, Callable[[], Any]] = {
        "json": lambda: {"event": event, "sent_at": sent_at.isoformat(), notice.kind: notice.detail},
        "alertmanager": lambda: alertmanager([(event, notice)]),
        "slack": lambda: _slack(event, notice),
        "pagerduty": lambda: _pagerduty(event, notice, key),
        "teams": lambda: _teams(event, notice),
    }
    return makers[kind]()


def alertmanager(told: Sequence[Told]) -> Any:
    """An alert for each notice. The severity is a label, for routes go by it, so what turned graver is another alert to
    Alertmanager: it gets the end of the milder one, too."""
    return [alert for event, notice in told for alert in _alerts(event, notice)]


def _alerts(event: Event, notice: Notice) -> list[dict[str, Any]]:
    if event != "worsened" or notice.was is None:
        return [_alert(event, notice)]
    milder = notice.model_copy(update={"severity": notice.was})
    return [_alert("resolved", milder), _alert("opened", notice)]


def _alert(event: Event, notice: Notice) -> dict[str, Any]:
    annotations = {"summary": notice.title, "description": notice.why}
    if notice.acknowledged_by:
        annotations["acknowledged_by"] = notice.acknowledged_by
    alert: dict[str, Any] = {
        "labels": {"alertname": notice.name, "severity": notice.severity, **notice.labels},
        "annotations": annotations,
        "startsAt": notice.since.isoformat(),
    }
    if notice.link:
        alert["generatorURL"] = notice.link
    if event == "resolved":
        alert["endsAt"] = notice.until.isoformat()
    return alert


def _slack(event: Event, notice: Notice) -> Any:
    fields = [{"type": "mrkdwn", "text": f"*{name}*\n{escaped(text)}"} for name, text in notice.facts]
    line = headline(event, notice)
    return {
        "text": escaped(line),
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": line[:_LONGEST_HEADER]}},
            {"type": "section", "text": {"type": "mrkdwn", "text": escaped(notice.why)[:3_000]}},
            {"type": "section", "fields": fields},
            {"type": "context", "elements": [{"type": "mrkdwn", "text": _next(notice)}]},
        ],
    }


def _pagerduty(event: Event, notice: Notice, key: str) -> Any:
    told: dict[str, Any] = {
        "routing_key": key,
        "event_action": _PAGERDUTY_ACTIONS[event],
        "dedup_key": notice.id,
        "client": "whymesh",
    }
    if notice.link:
        told["client_url"] = notice.link
    if told["event_action"] == "trigger":
        told["payload"] = {
            "summary": notice.title[:_LONGEST_SUMMARY],
            "source": notice.source,
            "severity": notice.severity,
            "timestamp": notice.since.isoformat(),
            "component": notice.component,
            "group": notice.group,
            "class": notice.signal,
            "custom_details": dict(notice.facts) | {"why": notice.why},
        }
    return told


def _teams(event: Event, notice: Notice) -> Any:
    parts: list[dict[str, Any]] = [
        {"type": "TextBlock", "size": "Large", "weight": "Bolder", "wrap": True, "text": headline(event, notice)},
        {"type": "TextBlock", "wrap": True, "text": notice.why},
        {"type": "FactSet", "facts": [{"title": name, "value": text} for name, text in notice.facts]},
    ]
    if notice.link:
        parts.append({"type": "TextBlock", "wrap": True, "text": f"[Open in the web UI]({notice.link})"})
    return card(parts)


def card(parts: Sequence[Mapping[str, Any]]) -> Any:
    """A message with one Adaptive Card."""
    content = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": list(parts),
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": content}
    return {"type": "message", "attachments": [attachment]}


def headline(event: Event, notice: Notice) -> str:
    """The one line that says it."""
    kind = "Incident" if notice.kind == "finding" else "Alarm"
    marks: Mapping[Event, str] = {
        "opened": f"{kind} ({notice.severity})",
        "reopened": f"{kind} again ({notice.severity})",
        "worsened": f"{kind}, now {notice.severity}",
        "acknowledged": f"Acknowledged by {notice.acknowledged_by}",
        "resolved": "Resolved",
    }
    return f"{marks[event]}: {notice.title}"


def _next(notice: Notice) -> str:
    """What Slack's reader does next."""
    return f"<{notice.link}|Open in the web UI> or `{notice.command}`" if notice.link else f"`{notice.command}`"


def escaped(text: str) -> str:
    """As Slack wants text that is no markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
