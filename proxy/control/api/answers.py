"""Answers of the API about documents: what became of them, and why a change is refused.

In: outcomes and errors. Out: JSON, with the HTTP status that says whose turn it is.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from proxy.control.epochs.differences import differences
from proxy.control.errors import ConfigRefused, Conflict, ControlError, NoDocument, NotAllowed, NotLeading
from proxy.control.state.state import Epoch, Revision

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def told(handler: Handler) -> Handler:
    """The same, with what is refused as JSON and the status that says whose turn it is."""

    async def answered(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except ControlError as error:
            return _refusal(error, request)

    return answered


def _refusal(error: ControlError, request: web.Request) -> web.Response:
    match error:
        case ConfigRefused(mistakes=mistakes):
            status, body = 422, {"error": "the configuration is not taken", "mistakes": mistakes}
        case Conflict():
            status, body = 409, conflict(error)
        case NotLeading():
            return _elsewhere(error, request)
        case NotAllowed():
            status, body = 401, {"error": str(error)}
        case NoDocument():
            status, body = 404, {"error": str(error)}
        case _:
            status, body = 503, {"error": str(error)}
    return web.json_response(body, status=status)


def _elsewhere(error: NotLeading, request: web.Request) -> web.Response:
    """Where to ask instead; clients that follow get there by themselves."""
    if not error.url:
        return web.json_response({"error": str(error)}, status=503)
    headers = {"Location": error.url.rstrip("/") + request.path_qs}
    return web.json_response({"error": str(error)}, status=307, headers=headers)


def refused(kind: type[web.HTTPException], sentence: str) -> web.HTTPException:
    """An answer that says why, as JSON."""
    return kind(text=json.dumps({"error": sentence}), content_type="application/json")


def versioned(raw: dict[str, Any], version: int) -> dict[str, Any]:
    """A document with the epoch that changed it last."""
    return {**raw, "metadata": {**raw["metadata"], "resourceVersion": str(version)}}


def shown(one: Revision) -> dict[str, Any]:
    """What became of one document, field by field."""
    before, after = (json.loads(text) if text else None for text in (one.before, one.after))
    verb = "created" if before is None else "deleted" if after is None else "changed"
    fields = differences(before, after) if before and after else ()
    return {
        "kind": one.key.kind,
        "namespace": one.key.namespace,
        "name": one.key.name,
        "verb": verb,
        "fields": [vars(field) for field in fields],
        "before": before,
        "after": after,
    }


def conflict(error: Conflict) -> dict[str, Any]:
    current, mine = (json.loads(text) if text else None for text in (error.current, error.mine))
    fields = differences(current, mine) if current and mine else ()
    return {
        "error": str(error),
        "document": error.key,
        "current": current,
        "differs": [{"path": one.path, "current": one.before, "yours": one.after} for one in fields],
    }


def told_epoch(one: Epoch) -> dict[str, Any]:
    return {"epoch": one.epoch, "at": one.at.isoformat(), "actor": one.actor, "changes": list(one.changes)}
