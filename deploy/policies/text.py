"""A decision in words."""

from __future__ import annotations

from typing import Any


def told(question: dict[str, Any], decided: dict[str, Any]) -> str:
    """What becomes of the request, and by which rule."""
    what = f"{question['method']} {question['path']}" if question["method"] else "a connection that is not HTTP"
    who = decided["caller"] or "nobody known"
    lines = [f"{'allowed' if decided['allowed'] else 'denied'}: {what} to {question['to']} from {who}", *_why(decided)]
    if would := decided["would"]:
        lines.append(f"in audit: would be denied ({would['reason']}) by {would['rule']}")
        if would["missed"]:
            lines.append(f"          {would['missed']}")
    return "\n".join(lines)


def _why(decided: dict[str, Any]) -> list[str]:
    if decided["allowed"]:
        if decided["rule"]:
            return [f"rule:   {decided['rule']}"]
        audit = " in force" if decided["policies"] else ""
        return [f"no policy{audit} is for it: anyone may ask anything"]
    lines = [f"reason: {decided['reason']}"]
    if decided["reason"] == "not_allowed":
        lines += [f"near:   {decided['rule']}", f"missed: {decided['missed']}"]
    elif decided["rule"]:
        lines.append(f"rule:   {decided['rule']}")
    return lines
