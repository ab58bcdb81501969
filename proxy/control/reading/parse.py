"""Turns one document as people write it into its model, or says what is wrong with it in their words.

In: a mapping, and where it stands. Out: a `Written`, or mistakes with the path of each and a hint.
"""

from __future__ import annotations

import difflib
import json
from typing import Any

from pydantic import ValidationError

from proxy.control.documents import KINDS
from proxy.control.epochs.written import Origin, Written


def parse(where: str, document: Any, mistakes: list[str], origin: Origin = "file") -> Written | None:
    """The document, or None with the reasons added to `mistakes`, each beginning with `where`."""
    if not isinstance(document, dict):
        mistakes.append(f"{where}: expected a mapping with apiVersion, kind, metadata and spec")
        return None
    kind = document.get("kind")
    model = KINDS.get(kind) if isinstance(kind, str) else None
    if model is None:
        mistakes.append(f"{where}: kind: {kind!r} is not a kind of this mesh; known: {', '.join(KINDS)}")
        return None
    title = f"{where} ({kind} {_name(document)})"
    try:
        parsed = model.model_validate(document)
        raw = json.loads(json.dumps(document, allow_nan=False))
    except ValidationError as error:
        mistakes.extend(f"{title}: {_mistake(e, document)}" for e in error.errors())
        return None
    except (TypeError, ValueError, RecursionError) as error:
        mistakes.append(f"{title}: expected text, numbers, true and false, lists and mappings only: {error}")
        return None
    return Written(parsed, raw, origin)


def _name(document: dict[str, Any]) -> str:
    metadata = document.get("metadata")
    return str(metadata.get("name", "?")) if isinstance(metadata, dict) else "?"


def _mistake(error: Any, document: dict[str, Any]) -> str:
    """One validation error as `spec.endpoints[0].app: what is wrong`, with a hint for a misspelt key."""
    path = ""
    for step in error["loc"]:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else str(step)
    if error["type"] == "extra_forbidden":
        key = str(error["loc"][-1])
        near = difflib.get_close_matches(key, _known_keys(document["kind"]), n=1)
        return f"{path}: unknown key" + (f"; did you mean {near[0]}?" if near else "")
    message = error["msg"].removeprefix("Value error, ")
    return f"{path}: {_begun_small(message)}" + (
        f" (got {error['input']!r})" if isinstance(error["input"], str | int | float) else ""
    )


def _begun_small(message: str) -> str:
    """The message as it goes on after a colon; an abbreviation keeps its capitals."""
    return message if message[1:2].isupper() else message[0].lower() + message[1:]


def _known_keys(kind: str) -> list[str]:
    """Every key that documents of a kind know, for hints."""
    keys: set[str] = set()
    schema = KINDS[kind].model_json_schema(by_alias=True)
    for part in [schema, *schema.get("$defs", {}).values()]:
        keys.update(part.get("properties", {}))
    return sorted(keys)
