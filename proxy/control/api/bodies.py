"""What a request to change the configuration says, read and checked.

In: bytes from anybody. Out: documents and keys with the version that was seen. Never: an exception other than an
answer of 4xx or ConfigRefused.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web
from pydantic_core import from_json

from proxy.control.api.answers import refused
from proxy.control.documents import KINDS
from proxy.control.epochs.edits import Edit, Gone, Put
from proxy.control.epochs.written import Key
from proxy.control.errors import ConfigRefused
from proxy.control.reading.parse import parse

LARGEST = 16 * 1024 * 1024
"""Bytes of one request."""


async def json_object(request: web.Request) -> dict[str, Any]:
    """A JSON object; what a form of somebody's web page can send without being asked for is none."""
    if request.content_type != "application/json":
        raise refused(web.HTTPUnsupportedMediaType, "expected Content-Type: application/json")
    try:
        body = from_json(await request.clone(client_max_size=LARGEST).read(), allow_inf_nan=False)
    except ValueError as error:
        raise refused(web.HTTPBadRequest, f"not JSON: {error}") from None
    if not isinstance(body, dict):
        raise refused(web.HTTPBadRequest, "expected a JSON object")
    return body


def edit_of(body: dict[str, Any]) -> Edit:
    """`{"apply": [documents], "delete": [keys]}`."""
    documents, keys = body.get("apply", []), body.get("delete", [])
    if not body.keys() <= {"apply", "delete"} or not isinstance(documents, list) or not isinstance(keys, list):
        raise refused(web.HTTPBadRequest, 'expected {"apply": [documents], "delete": [keys]}')
    puts = documents_of([(f"apply[{place}]", document) for place, document in enumerate(documents)])
    return Edit(puts, tuple(deletion(f"delete[{place}]", one) for place, one in enumerate(keys)))


def documents_of(documents: list[tuple[str, Any]]) -> tuple[Put, ...]:
    """Every document with the version it was made from; raises ConfigRefused naming all that is wrong."""
    mistakes: list[str] = []
    puts: dict[Key, Put] = {}
    for where, document in documents:
        plain, seen = _without_version(document)
        written = parse(where, plain, mistakes, "api")
        if written is None:
            continue
        if written.key in puts:
            mistakes.append(f"{where}: {written.key} is written twice")
        puts[written.key] = Put(written, version_of(seen))
    if mistakes:
        raise ConfigRefused(mistakes)
    return tuple(puts.values())


def _without_version(document: Any) -> tuple[Any, Any]:
    """The document as a file would say it, and its metadata.resourceVersion."""
    metadata = document.get("metadata") if isinstance(document, dict) else None
    if not isinstance(metadata, dict) or "resourceVersion" not in metadata:
        return document, None
    plain = {name: value for name, value in metadata.items() if name != "resourceVersion"}
    return {**document, "metadata": plain}, metadata["resourceVersion"]


def deletion(where: str, one: Any) -> Gone:
    expected = {"kind", "namespace", "name", "resourceVersion"}
    if not isinstance(one, dict) or not one.keys() <= expected or not {"kind", "name"} <= one.keys():
        raise refused(web.HTTPBadRequest, f"{where}: expected kind, namespace, name, and resourceVersion if it matters")
    key = Key(*(str(one.get(name, "default")) for name in ("kind", "namespace", "name")))
    return Gone(key, version_of(one.get("resourceVersion")))


def key_of_path(request: web.Request) -> Key:
    kind = request.match_info["kind"]
    if kind not in KINDS:
        raise refused(web.HTTPNotFound, f"{kind!r} is not a kind of this mesh; known: {', '.join(KINDS)}")
    return Key(kind, request.match_info["namespace"], request.match_info["name"])


def version_of(text: Any) -> int | None:
    if text is None:
        return None
    if not isinstance(text, str) or not text.isascii() or not text.isdigit() or len(text) > 18:
        raise refused(
            web.HTTPBadRequest, f'resourceVersion: expected what a document was read with, such as "7" (got {text!r})'
        )
    return int(text)


def number(text: str, what: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18 or not int(text):
        raise refused(web.HTTPBadRequest, f"{what}: expected a number from 1 on (got {text!r})")
    return int(text)


def is_dry(request: web.Request) -> bool:
    text = request.query.get("dryRun", "false")
    if text not in ("true", "false"):
        raise refused(web.HTTPBadRequest, f"dryRun: expected true or false (got {text!r})")
    return text == "true"
