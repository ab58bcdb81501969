"""The kind `AuthorizationPolicy`: who may ask what of a Service, or at a Gateway."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from proxy.control.documents.base import OwnDocument, Spec
from proxy.control.documents.http_route import Method
from proxy.control.documents.route_parts import AnyTarget, HeaderMatch, plain_path
from proxy.snapshot import Name
from proxy.snapshot.authorization import Glob, IdentityPattern, Port

_NAME = re.compile(r"^(?=.)[a-z0-9.-]*\*?[a-z0-9.-]*$")


def _name_pattern(text: str) -> str:
    if not _NAME.match(text) or len(text) > 128:
        raise ValueError("expected the name of a Service, or one with a * for any text in it, such as orders-*")
    return text


NamePattern = Annotated[str, AfterValidator(_name_pattern)]


class CallerSpec(Spec):
    """A Service by name, all of a namespace, or anyone with a SPIFFE id of this form."""

    name: NamePattern | None = None
    namespace: NamePattern | None = None
    identity: IdentityPattern | None = None

    @model_validator(mode="after")
    def _says_who(self) -> CallerSpec:
        if (self.identity is None) == (self.name is None and self.namespace is None):
            raise ValueError("expected name, namespace or both, or identity")
        return self


class PolicyPath(Spec):
    type: Literal["Exact", "PathPrefix", "Template"] = "PathPrefix"
    value: Annotated[str, AfterValidator(plain_path)] = Field(default="/", max_length=1_024)


class PolicyMatch(Spec):
    """All that is given must hold."""

    method: Method | None = None
    path: PolicyPath = PolicyPath()
    headers: tuple[HeaderMatch, ...] = ()


class ClaimSpec(Spec):
    """What the token of a request has to say: one of the values."""

    name: str = Field(min_length=1, max_length=256)
    values: tuple[Glob, ...] = Field(min_length=1, max_length=64)


class PolicyRule(Spec):
    """All that is given must hold; of callers, matches and ports any one. Nothing given: everything."""

    name: str | None = Field(default=None, pattern=r"^[a-z0-9]([a-z0-9.-]{0,126}[a-z0-9])?$")
    callers: tuple[CallerSpec, ...] | None = Field(default=None, min_length=1, max_length=256)
    matches: tuple[PolicyMatch, ...] | None = Field(default=None, min_length=1, max_length=64)
    ports: tuple[Port, ...] | None = Field(default=None, min_length=1, max_length=64)
    claims: tuple[ClaimSpec, ...] = Field(default=(), max_length=64)


class AuthorizationPolicySpec(Spec):
    target_ref: AnyTarget | None = Field(default=None, alias="targetRef")
    action: Literal["Allow", "Deny"] = "Allow"
    mode: Literal["Enforce", "Audit"] = "Enforce"
    rules: tuple[PolicyRule, ...] = Field(default=(), max_length=256)

    @model_validator(mode="after")
    def _names_are_unique(self) -> AuthorizationPolicySpec:
        names = [rule.name for rule in self.rules if rule.name]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"rules: two rules are called {repeated[0]}")
        return self


class AuthorizationPolicy(OwnDocument):
    """What is allowed, or denied whatever allows it; once there is one, what no rule allows is denied."""

    kind: Literal["AuthorizationPolicy"]
    spec: AuthorizationPolicySpec

    @property
    def concerns(self) -> str:
        """The Service or Gateway that it is for; empty: all those of its namespace."""
        return self.spec.target_ref.full_name(self) if self.spec.target_ref else ""

    def is_for(self, name: str, namespace: Name) -> bool:
        """Whether it is for the Service or Gateway of this full name and namespace."""
        return self.concerns == name if self.spec.target_ref else self.metadata.namespace == namespace
