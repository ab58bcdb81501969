"""The OpenAPI document of the control plane: every operation of its HTTP API, every kind of document.

In: the operations, and the schemas of the kinds as the models have them. Out: OpenAPI 3.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from proxy.control.reading.schema import definitions, of_a_document

_SCHEMAS = "#/components/schemas/"
_DOCUMENT = {"$ref": f"{_SCHEMAS}AnyDocument"}
_DRY = {
    "name": "dryRun",
    "in": "query",
    "schema": {"type": "boolean", "default": False},
    "description": "Say what it would do, and do nothing.",
}
_VERSION = {
    "name": "resourceVersion",
    "in": "query",
    "schema": {"type": "string"},
    "description": "Only if the document is still of this version.",
}


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    summary: str
    answer: Any = None
    """Schema of a JSON answer; None: none, or what the summary says."""
    body: Any = None
    query: tuple[dict[str, Any], ...] = ()
    guarded: bool = False
    """Whether it needs to come from this machine, or with a token."""


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"type": "object", "properties": {**required, **(optional or {})}, "required": list(required)}


def _list(of: Any) -> dict[str, Any]:
    return {"type": "array", "items": of}


def _query(name: str, kind: str = "string") -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": {"type": kind}}


_TEXT, _NUMBER = {"type": "string"}, {"type": "integer"}
_KEY = {"kind": _TEXT, "namespace": _TEXT, "name": _TEXT}
_OUTCOME = {"$ref": f"{_SCHEMAS}Outcome"}
_EPOCH = {"$ref": f"{_SCHEMAS}Epoch"}
_ONE = "/v1/config/{kind}/{namespace}/{name}"

OPERATIONS = (
    Operation(
        "get",
        "/v1/config",
        "Every document in force, and those of the files that were deleted over the API.",
        answer=_object({"epoch": _NUMBER, "documents": _list({"type": "object"}), "deleted": _list(_TEXT)}),
        query=(_query("kind"), _query("namespace"), _query("name")),
        guarded=True,
    ),
    Operation(
        "post",
        "/v1/config",
        "Writes and deletes documents: all of it in one epoch, or nothing.",
        answer=_OUTCOME,
        body=_object({}, {"apply": _list(_DOCUMENT), "delete": _list(_object(_KEY, {"resourceVersion": _TEXT}))}),
        query=(_DRY,),
        guarded=True,
    ),
    Operation("get", _ONE, "One document, with metadata.resourceVersion.", answer=_DOCUMENT, guarded=True),
    Operation(
        "put",
        _ONE,
        'Writes a document; one with metadata.resourceVersion only if it is still of that version ("0": not there).',
        answer=_OUTCOME,
        body=_DOCUMENT,
        query=(_DRY,),
        guarded=True,
    ),
    Operation("delete", _ONE, "Deletes a document.", answer=_OUTCOME, query=(_DRY, _VERSION), guarded=True),
    Operation(
        "get",
        "/v1/history",
        "The last epochs, the newest first: when, who, what.",
        answer=_object({"epochs": _list(_EPOCH)}),
        query=(_query("limit", "integer"), _query("before", "integer")),
        guarded=True,
    ),
    Operation(
        "get", "/v1/history/{epoch}", "One epoch, and what it did to each document.", answer=_EPOCH, guarded=True
    ),
    Operation(
        "post",
        "/v1/rollback",
        "Writes the documents as they were as of an epoch.",
        answer=_OUTCOME,
        body=_object({"epoch": _NUMBER}),
        query=(_DRY,),
        guarded=True,
    ),
    Operation(
        "get",
        "/v1/tokens",
        "Names of the tokens (from this machine only).",
        answer=_object({"tokens": _list(_object({"name": _TEXT, "made": _TEXT}))}),
    ),
    Operation(
        "post",
        "/v1/tokens",
        "Makes a token, which is shown this once (from this machine only).",
        answer=_object({"name": _TEXT, "token": _TEXT}),
        body=_object({"name": _TEXT}),
    ),
    Operation("delete", "/v1/tokens/{name}", "Ends a token (from this machine only)."),
    Operation("get", "/v1/instances", "Who is registered, and for how much longer.", answer={"type": "object"}),
    Operation(
        "post",
        "/v1/instances",
        "Registers an instance for as long as its lease is renewed, or replaces what it said before.",
        answer={"type": "object"},
        body={"$ref": f"{_SCHEMAS}Registration"},
        guarded=True,
    ),
    Operation("delete", "/v1/instances/{instance}", "Ends a registration.", guarded=True),
    Operation(
        "put",
        "/v1/instances/{instance}/lease",
        "Lets the lease of a registration begin anew.",
        answer={"type": "object"},
        guarded=True,
    ),
    Operation(
        "put",
        "/v1/instances/{instance}/health",
        "What an instance says of itself.",
        body=_object({"well": {"type": "boolean"}}, {"why": _TEXT}),
        guarded=True,
    ),
    Operation("get", "/v1/health", "Each checked instance: its state, since when, and why.", answer={"type": "object"}),
    Operation(
        "post",
        "/v1/policies/check",
        "What the proxies would decide of a request, by the policies in force.",
        answer={"type": "object"},
        body={"type": "object"},
        guarded=True,
    ),
    Operation("get", "/v1/authority", "What signs, and until when.", answer={"type": "object"}),
    Operation(
        "post",
        "/v1/identities/{proxy}",
        "For proxies: a certificate with its chain, and the roots to trust.",
        answer={"type": "object"},
        body={"type": "object"},
    ),
    Operation("get", "/v1/status", "The epoch in force; what each proxy serves.", answer={"type": "object"}),
    Operation("get", "/v1/registry", "Every Service with its endpoints.", answer={"type": "object"}),
    Operation("get", "/v1/openapi.json", "This document.", answer={"type": "object"}),
    Operation(
        "get", "/v1/snapshots/{proxy}", "For proxies: snapshots as newline-delimited JSON, for as long as it is read."
    ),
    Operation(
        "post",
        "/v1/snapshots/{proxy}/ack",
        "For proxies: what became of a snapshot.",
        body=_object({"epoch": _NUMBER, "accepted": {"type": "boolean"}}, {"reason": _TEXT, "problems": _list(_TEXT)}),
    ),
    Operation("get", "/v1/recording", "Services that record everything, the seconds left.", answer={"type": "object"}),
    Operation(
        "post",
        "/v1/recording",
        "Has services record everything for some seconds, whatever their settings say.",
        body=_object({"services": _list(_TEXT)}, {"for_s": {"type": "number"}}),
        guarded=True,
    ),
    Operation("delete", "/v1/recording/{service}", "Has a service record by its settings again.", guarded=True),
    Operation(
        "post", "/v1/flush", "Every proxy sends what it keeps of these traces.", body=_object({"traces": _list(_TEXT)})
    ),
)


@cache
def described() -> dict[str, Any]:
    """The document; the same for as long as the process runs."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _described(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "whymesh control plane", "version": _version(), "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {
            "schemas": {**definitions(_SCHEMAS), "AnyDocument": of_a_document(_SCHEMAS), **_ANSWERS},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


_ANSWERS = {
    "Outcome": _object(
        {"epoch": _NUMBER, "documents": _list({"type": "object"}), "changes": _list(_TEXT), "proxies": _list(_TEXT)}
    ),
    "Epoch": _object({"epoch": _NUMBER, "at": _TEXT, "actor": _TEXT, "changes": _list(_TEXT)}),
    "Refusal": _object({"error": _TEXT}, {"mistakes": _list(_TEXT), "differs": _list({"type": "object"})}),
}


def _described(operation: Operation) -> dict[str, Any]:
    named = re.findall(r"{(\w+)}", operation.path)
    parameters = [{"name": name, "in": "path", "required": True, "schema": _TEXT} for name in named]
    answer: dict[str, Any] = {"description": "Done."}
    if operation.answer is not None:
        answer["content"] = {"application/json": {"schema": operation.answer}}
    refusal = {"application/json": {"schema": {"$ref": f"{_SCHEMAS}Refusal"}}}
    made: dict[str, Any] = {
        "summary": operation.summary,
        "operationId": "_".join([operation.method, *re.findall(r"\w+", operation.path.removeprefix("/v1"))]),
        "parameters": [*parameters, *operation.query],
        "responses": {"2XX": answer, "default": {"description": "Refused; says why.", "content": refusal}},
    }
    if operation.body is not None:
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": operation.body}}}
    if operation.guarded:
        made["security"] = [{"token": []}, {}]
    return made


def _version() -> str:
    try:
        return version("whymesh")
    except PackageNotFoundError:
        return "unknown"
