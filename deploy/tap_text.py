"""One request as a line for people. In: what a proxy shows of it. Out: when, who, what, how it went and how long."""

from __future__ import annotations

from typing import Any

HANG = 14
"""Characters of the time, under which a line does not go on."""


def line(request: dict[str, Any]) -> str:
    """The line, or how many requests were too much to show."""
    if "missed" in request:
        return f"... {request['missed']} more requests, too many to show"
    ends = [request.get(f"mesh.{end}.service") or "outside" for end in ("source", "destination")]
    status = request.get("rpc.response.status_code") or request.get("http.response.status_code") or "-"
    parts = [
        request["time"][11:23],
        f"{request['direction']:<8}",
        " > ".join(ends),
        request["name"].split(" ", 1)[0] if "url.path" in request else request["name"],
        request.get("url.path", ""),
        str(status),
        f"{request['duration_ms']:.1f} ms",
        request.get("mesh.reason", ""),
        request["trace_id"],
    ]
    return "  ".join(part for part in parts if part)
