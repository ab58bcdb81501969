"""Says several notices in one message, for people: a line each. Pure: notices in, a JSON value out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rootcause.alerts.formats import Told, card, escaped, headline

LINES = 20
"""What a person still reads; the others are counted."""


def slack(told: Sequence[Told]) -> Any:
    """Slack's Block Kit."""
    text = _title(told)
    lines = [f"• {escaped(line)} `{command}`" for line, command in _lines(told)] + _more(told)
    return {
        "text": text,
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": text}},
            *({"type": "section", "text": {"type": "mrkdwn", "text": line[:3_000]}} for line in lines),
        ],
    }


def teams(told: Sequence[Told]) -> Any:
    """An Adaptive Card."""
    facts = [{"title": command, "value": line} for line, command in _lines(told)]
    more = [{"type": "TextBlock", "wrap": True, "text": line} for line in _more(told)]
    return card([_heading(_title(told)), {"type": "FactSet", "facts": facts}, *more])


def _heading(text: str) -> dict[str, Any]:
    return {"type": "TextBlock", "size": "Large", "weight": "Bolder", "wrap": True, "text": text}


def _title(told: Sequence[Told]) -> str:
    counted = Counter(event for event, _ in told)
    return f"{len(told)} messages: " + ", ".join(f"{count} {event}" for event, count in counted.items())


def _lines(told: Sequence[Told]) -> list[tuple[str, str]]:
    return [(headline(event, notice), notice.command) for event, notice in told[:LINES]]


def _more(told: Sequence[Told]) -> list[str]:
    return [f"and {len(told) - LINES} more"] if len(told) > LINES else []
