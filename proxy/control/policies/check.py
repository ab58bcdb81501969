"""Says what becomes of a request that nobody made: the decision of the proxies, before there is a request.

In: a registry, and who would ask whom for what. Out: allowed or not, by which rule, or what the nearest one misses.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from proxy._engine import decide
from proxy.control.compile.authorization import authorization, identity
from proxy.control.documents import Gateway, Service
from proxy.control.reading.references import missing
from proxy.control.registry import Registry


class Unknown(ValueError):
    """There is no such Service or Gateway; the message has a hint."""


class Question(BaseModel):
    """Who asks whom for what; a tunnel has no method."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    caller: str | None = Field(default=None, description="A Service or Gateway, a SPIFFE id, or nobody known.")
    to: str
    method: str | None = "GET"
    path: str = "/"
    port: int | None = Field(default=None, gt=0, lt=65_536, description="The first of the target, if not given.")
    headers: tuple[tuple[str, str], ...] = ()
    claims: dict[str, Any] | None = None


def check(registry: Registry, question: Question) -> dict[str, Any]:
    """The decision as `proxy._engine.decide` gives it, with `caller`, and `policies` in force or in audit.

    Raises Unknown, and ValueError for a path, method or header that no request can have.
    """
    target = _target(registry, question.to)
    caller = caller_identity(registry, question.caller) if question.caller else None
    part = authorization(registry, target)
    if part is None:
        open_to_all = {"allowed": True, "reason": "", "rule": None, "missed": "", "would": None}
        return {**open_to_all, "caller": caller, "policies": []}
    asked = {
        "caller": caller,
        "port": question.port or part.ports[0],
        "method": question.method,
        "path": question.path,
        "headers": question.headers,
        "claims": question.claims,
    }
    decided: dict[str, Any] = json.loads(decide(part.model_dump_json(), json.dumps(asked)))
    return {**decided, "caller": caller, "policies": [policy.name for policy in part.policies]}


def caller_identity(registry: Registry, caller: str) -> str:
    """The SPIFFE id of a Service or Gateway by its name in the mesh; an id stays as it is. Raises Unknown."""
    if caller.startswith("spiffe://"):
        return caller
    found = _target(registry, caller)
    return identity(registry, found.metadata.name, found.metadata.namespace)


def _target(registry: Registry, name: str) -> Service | Gateway:
    targets: tuple[Service | Gateway, ...] = (*registry.services, *registry.of(Gateway))
    known = {one.full_name: one for one in targets}
    if name not in known:
        raise Unknown(missing(name, name, known, "Service or Gateway").partition(": ")[2])
    return known[name]
