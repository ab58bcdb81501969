"""What the listeners take, as JSON Schema, written down from their public references.

Alertmanager: `postableAlerts` of its OpenAPI v2 description. Slack: the reference of Block Kit's blocks and limits.
PagerDuty: "Send an event" of the Events API v2. Teams: the schema explorer of Adaptive Cards 1.4, and the envelope that
its workflows take.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rootcause.alerts.formats import Format

_MOMENT = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d:\d\d|Z)$"}


def _text(longest: int, *kinds: str) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["type", "text"],
        "additionalProperties": False,
        "properties": {
            "type": {"enum": list(kinds)},
            "text": {"type": "string", "minLength": 1, "maxLength": longest},
        },
    }


def _typed(kind: str, required: list[str], **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["type", *required],
        "additionalProperties": False,
        "properties": {"type": {"const": kind}, **properties},
    }


_LABELS = {
    "type": "object",
    "propertyNames": {"pattern": "^[a-zA-Z_][a-zA-Z0-9_]*$"},
    "additionalProperties": {"type": "string"},
}
_ALERTMANAGER = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "required": ["labels"],
        "additionalProperties": False,
        "properties": {
            "labels": {**_LABELS, "required": ["alertname"], "minProperties": 1},
            "annotations": _LABELS,
            "startsAt": _MOMENT,
            "endsAt": _MOMENT,
            "generatorURL": {"type": "string", "format": "uri"},
        },
    },
}
_SLACK = {
    "type": "object",
    "required": ["text", "blocks"],
    "additionalProperties": False,
    "properties": {
        "text": {"type": "string", "minLength": 1, "maxLength": 40_000},
        "blocks": {
            "type": "array",
            "minItems": 1,
            "maxItems": 50,
            "items": {
                "oneOf": [
                    _typed("header", ["text"], text=_text(150, "plain_text")),
                    _typed("section", ["text"], text=_text(3_000, "mrkdwn", "plain_text")),
                    _typed(
                        "section",
                        ["fields"],
                        fields={
                            "type": "array",
                            "minItems": 1,
                            "maxItems": 10,
                            "items": _text(2_000, "mrkdwn", "plain_text"),
                        },
                    ),
                    _typed(
                        "context",
                        ["elements"],
                        elements={
                            "type": "array",
                            "minItems": 1,
                            "maxItems": 10,
                            "items": _text(3_000, "mrkdwn", "plain_text"),
                        },
                    ),
                ]
            },
        },
    },
}
_PAGERDUTY = {
    "type": "object",
    "required": ["routing_key", "event_action"],
    "additionalProperties": False,
    "properties": {
        "routing_key": {"type": "string", "minLength": 1},
        "event_action": {"enum": ["trigger", "acknowledge", "resolve"]},
        "dedup_key": {"type": "string", "maxLength": 255},
        "client": {"type": "string"},
        "client_url": {"type": "string"},
        "payload": {
            "type": "object",
            "required": ["summary", "source", "severity"],
            "additionalProperties": False,
            "properties": {
                "summary": {"type": "string", "minLength": 1, "maxLength": 1_024},
                "source": {"type": "string", "minLength": 1},
                "severity": {"enum": ["critical", "error", "warning", "info"]},
                "timestamp": _MOMENT,
                "component": {"type": "string"},
                "group": {"type": "string"},
                "class": {"type": "string"},
                "custom_details": {"type": "object"},
            },
        },
    },
    "if": {"properties": {"event_action": {"const": "trigger"}}},
    "then": {"required": ["payload"]},
    "else": {"required": ["dedup_key"]},
}
_FACT = {
    "type": "object",
    "required": ["title", "value"],
    "additionalProperties": False,
    "properties": {"title": {"type": "string"}, "value": {"type": "string"}},
}
_CARD = _typed(
    "AdaptiveCard",
    ["version", "body"],
    version={"const": "1.4"},
    body={
        "type": "array",
        "minItems": 1,
        "items": {
            "oneOf": [
                _typed(
                    "TextBlock",
                    ["text"],
                    text={"type": "string"},
                    wrap={"type": "boolean"},
                    size={"enum": ["default", "small", "medium", "large", "extraLarge", "Large"]},
                    weight={"enum": ["default", "lighter", "bolder", "Bolder"]},
                ),
                _typed("FactSet", ["facts"], facts={"type": "array", "minItems": 1, "items": _FACT}),
            ]
        },
    },
    **{"$schema": {"const": "http://adaptivecards.io/schemas/adaptive-card.json"}},
)
_TEAMS = _typed(
    "message",
    ["attachments"],
    attachments={
        "type": "array",
        "minItems": 1,
        "items": {
            "type": "object",
            "required": ["contentType", "content"],
            "additionalProperties": False,
            "properties": {
                "contentType": {"const": "application/vnd.microsoft.card.adaptive"},
                "contentUrl": {"type": "null"},
                "content": _CARD,
            },
        },
    },
)
SCHEMAS: Mapping[Format, dict[str, Any]] = {
    "alertmanager": _ALERTMANAGER,
    "slack": _SLACK,
    "pagerduty": _PAGERDUTY,
    "teams": _TEAMS,
}
