"""Who may ask what of an application, or at a gateway."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from proxy.snapshot.authentication import Tokens
from proxy.snapshot.gate import Asked
from proxy.snapshot.parts import Name, Part
from proxy.snapshot.trust import TrustDomain

Port = Annotated[int, Field(gt=0, lt=65_536)]
_SEGMENT = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-*")


def _glob(text: str) -> str:
    if text.count("*") > 1:
        raise ValueError("expected at most one * in it")
    return text


def _identity(text: str) -> str:
    if text == "*":
        return text
    parts = text.removeprefix("spiffe://").split("/")
    if not text.startswith("spiffe://") or len(parts) < 2 or len(text) > 2_048:
        raise ValueError("expected * or a SPIFFE id such as spiffe://mesh.local/ns/shop/sa/orders")
    for part in parts:
        if not part or not set(part) <= _SEGMENT or part.count("*") > 1:
            raise ValueError("expected letters, digits, . _ - and at most one * between two slashes of a SPIFFE id")
    return text


IdentityPattern = Annotated[str, AfterValidator(_identity)]
"""A SPIFFE id in which a `*` stands for any text between two slashes, or `*` alone: whoever has an id."""
Glob = Annotated[str, StringConstraints(min_length=1, max_length=4_096), AfterValidator(_glob)]
"""A text in which a `*` stands for any other."""


class ClaimMatch(Part):
    """What a token has to say; dots in the name lead into objects, and of a list one element has to be it."""

    name: str = Field(min_length=1, max_length=256)
    values: tuple[Glob, ...] = Field(min_length=1, max_length=64)


class AccessRule(Part):
    """All that is given must hold; of callers, matches and ports any one."""

    name: str = Field(max_length=300, description="AuthorizationPolicy and rule, as people know them.")
    callers: tuple[IdentityPattern, ...] = Field(default=(), max_length=256)
    matches: tuple[Asked, ...] = Field(default=(), max_length=64)
    ports: tuple[Port, ...] = Field(default=(), max_length=64)
    claims: tuple[ClaimMatch, ...] = Field(default=(), max_length=64)


class AccessPolicy(Part):
    """What is allowed, or denied whatever allows it."""

    name: str = Field(max_length=300)
    action: Literal["allow", "deny"] = "allow"
    audit: bool = Field(default=False, description="Say what it would deny, and let it pass.")
    rules: tuple[AccessRule, ...] = Field(default=(), max_length=256)


class Authorization(Part):
    """Everything of this about one workload; requests that no rule allows are denied."""

    service: Name
    ports: tuple[Port, ...] = Field(min_length=1, description="Of the Service, or of each door of the gateway.")
    believed: TrustDomain | None = Field(
        default=None, description="Trust domain of callers whose headers say who they are."
    )
    policies: tuple[AccessPolicy, ...] = Field(default=(), max_length=256)
    tokens: Tokens | None = Field(default=None, description="None: nobody looks at them.")
