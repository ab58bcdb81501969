"""Applies what the webhook answers, as an API server does: `add`, `remove`, `replace` and `test` of RFC 6902."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any


class Unapplied(Exception):
    """The patch is not for this document, which is left as it was."""


def applied(document: Any, patch: Iterable[dict[str, Any]]) -> Any:
    """The document after every operation; raises Unapplied."""
    document = copy.deepcopy(document)
    for one in patch:
        *way, last = [part.replace("~1", "/").replace("~0", "~") for part in one["path"].split("/")[1:]]
        try:
            place = document
            for step in way:
                place = place[int(step)] if isinstance(place, list) else place[step]
            _apply(one, place, last)
        except (LookupError, ValueError, TypeError) as error:
            raise Unapplied(f"{one}: {error!r}") from None
    return document


def _apply(one: dict[str, Any], place: Any, last: str) -> None:
    value = copy.deepcopy(one.get("value"))
    if isinstance(place, list):
        at = len(place) if last == "-" else int(last)
        if at > len(place) or (one["op"] != "add" and at == len(place)):
            raise LookupError(last)
        match one["op"]:
            case "add":
                place.insert(at, value)
            case "remove":
                del place[at]
            case "replace":
                place[at] = value
            case "test" if place[at] != value:
                raise ValueError(place[at])
        return
    if one["op"] != "add" and last not in place:
        raise LookupError(last)
    match one["op"]:
        case "add" | "replace":
            place[last] = value
        case "remove":
            del place[last]
        case "test" if place[last] != value:
            raise ValueError(place[last])
