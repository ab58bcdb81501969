"""The parts that routes are made of: the Services they name, and the values they match.

The shapes are the Gateway API's (gateway-api.sigs.k8s.io, v1), used for service to service traffic as GAMMA says:
`parentRefs` name a Service. `version` of a backendRef is ours.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from proxy.control.documents.base import Document, Spec
from proxy.control.documents.expression import expression
from proxy.snapshot import Label, Name


def _header_name(value: str) -> str:
    if not value or len(value) > 256 or not all(c.isascii() and (c.isalnum() or c in "!#$%&'*+-.^_`|~") for c in value):
        raise ValueError("expected the name of a header, such as x-user")
    return value.lower()


def plain_path(value: str) -> str:
    segments = value.split("/")
    if not value.startswith("/") or any(c in value for c in "?#") or {".", ".."} & set(segments) or "//" in value:
        raise ValueError("expected a path such as /orders, without ?, #, // and . segments")
    return value


HeaderName = Annotated[str, AfterValidator(_header_name)]
Path = Annotated[str, AfterValidator(plain_path)]


class Reference(Spec):
    """Another document by name; in the namespace of this one unless another is given."""

    group: str
    kind: str
    name: Name
    namespace: Name | None = None
    port: int | None = Field(default=None, gt=0, lt=65_536)

    def full_name(self, near: Document) -> str:
        """Its name in the mesh, as seen from `near`."""
        namespace = self.namespace or near.metadata.namespace
        return self.name if namespace == "default" else f"{self.name}.{namespace}"


class Target(Reference):
    """A Service."""

    group: Literal["", "core"] = ""
    kind: Literal["Service"] = "Service"


class AnyTarget(Reference):
    """A Service or a Gateway."""

    group: Literal["", "core", "gateway.networking.k8s.io"] = ""
    kind: Literal["Service", "Gateway"] = "Service"

    @model_validator(mode="after")
    def _is_of_its_group(self) -> AnyTarget:
        if self.group and (self.group == "core") != (self.kind == "Service"):
            raise ValueError(f"group: {self.group} has no {self.kind}")
        return self


class ParentRef(AnyTarget):
    """The Service whose requests are routed, or the Gateway where they come in, or one listener of it."""

    kind: Literal["Service", "Gateway"]
    section_name: Name | None = Field(default=None, alias="sectionName")

    @model_validator(mode="after")
    def _has_sections(self) -> ParentRef:
        if self.section_name and self.kind == "Service":
            raise ValueError("sectionName: is for a listener of a Gateway; a Service has none")
        return self

    def is_of(self, parent: Document, near: Document) -> bool:
        """Whether it names this document, as seen from `near`."""
        return self.kind == parent.kind and self.full_name(near) == parent.full_name


class BackendRef(Target):
    """Where requests go, and in which proportion to the other backends of the rule."""

    weight: int = Field(default=1, ge=0, le=1_000_000)
    version: Label | None = Field(default=None, description="Only to instances of this version.")


class ValueMatch(Spec):
    """A value that a header or parameter must have."""

    type: Literal["Exact", "RegularExpression"] = "Exact"
    name: str = Field(min_length=1, max_length=256)
    value: str = Field(min_length=1, max_length=4_096)

    @model_validator(mode="after")
    def _can_be_matched(self) -> ValueMatch:
        if self.type == "RegularExpression":
            expression(self.value)
        return self


class HeaderMatch(ValueMatch):
    """A header that a request must have."""

    name: HeaderName
