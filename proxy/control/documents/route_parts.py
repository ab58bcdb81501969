"""What HTTPRoute and GRPCRoute have in common: whom they are for, where requests go, and what is done on the way.

The shapes are the Gateway API's (gateway-api.sigs.k8s.io, v1), used for service to service traffic as GAMMA says:
`parentRefs` name a Service. `version` of a backendRef and the filter `DirectResponse` are ours.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from proxy.control.documents.base import Document, Spec
from proxy.control.documents.spelling import Milliseconds
from proxy.snapshot import Label, Name
from proxy.snapshot.routes import HeaderValue

_NO_PATTERN = ("(?=", "(?!", "(?<", "(?P=", "\\1", "\\2", "\\3")
_NOT_EDITED = {
    *("connection", "content-length", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"),
    *("mesh-reason", "traceparent", "tracestate", "x-mesh-source"),
}


def _header_name(value: str) -> str:
    if not value or len(value) > 256 or not all(c.isascii() and (c.isalnum() or c in "!#$%&'*+-.^_`|~") for c in value):
        raise ValueError("expected the name of a header, such as x-user")
    return value.lower()


def expression(value: str) -> str:
    """Refuses what expressions that match in linear time cannot have; the engine has the last word."""
    if any(part in value for part in _NO_PATTERN):
        raise ValueError("look-around and back-references are not known here")
    return value


def plain_path(value: str) -> str:
    segments = value.split("/")
    if not value.startswith("/") or any(c in value for c in "?#") or {".", ".."} & set(segments) or "//" in value:
        raise ValueError("expected a path such as /orders, without ?, #, // and . segments")
    return value


HeaderName = Annotated[str, AfterValidator(_header_name)]
Path = Annotated[str, AfterValidator(plain_path)]


class Target(Spec):
    """A Service by name; in the namespace of the document unless another is given."""

    group: Literal["", "core"] = ""
    kind: Literal["Service"] = "Service"
    name: Name
    namespace: Name | None = None
    port: int | None = Field(default=None, gt=0, lt=65_536)

    def full_name(self, near: Document) -> str:
        """The Service's name in the mesh, as seen from `near`."""
        namespace = self.namespace or near.metadata.namespace
        return self.name if namespace == "default" else f"{self.name}.{namespace}"


class ParentRef(Target):
    """The Service whose requests are routed."""

    kind: Literal["Service"]


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


def _editable(value: str) -> str:
    if value in _NOT_EDITED or value.startswith("proxy-"):
        raise ValueError(f"{value} says how a message is carried and cannot be edited here")
    return value


EditedName = Annotated[HeaderName, AfterValidator(_editable)]


class HeaderPair(Spec):
    name: EditedName
    value: HeaderValue


class HeaderModifier(Spec):
    """What to do with headers."""

    set: tuple[HeaderPair, ...] = ()
    add: tuple[HeaderPair, ...] = ()
    remove: tuple[EditedName, ...] = ()


class PathModifier(Spec):
    """A new path, whole or in place of the prefix that was matched."""

    type: Literal["ReplaceFullPath", "ReplacePrefixMatch"]
    replace_full_path: Path | None = Field(default=None, alias="replaceFullPath")
    replace_prefix_match: Path | None = Field(default=None, alias="replacePrefixMatch")

    @model_validator(mode="after")
    def _says_what(self) -> PathModifier:
        wanted, other = self.replace_full_path, self.replace_prefix_match
        field = "replaceFullPath"
        if self.type == "ReplacePrefixMatch":
            wanted, other, field = other, wanted, "replacePrefixMatch"
        if wanted is None or other is not None:
            raise ValueError(f"type {self.type} needs {field} and nothing else")
        return self


class RequestRedirect(Spec):
    """Where the caller is sent."""

    scheme: Literal["http", "https"] | None = None
    hostname: str | None = Field(default=None, pattern=r"^[a-z0-9]([a-z0-9.-]{0,252}[a-z0-9])?$")
    path: PathModifier | None = None
    port: int | None = Field(default=None, gt=0, lt=65_536)
    status_code: Literal[301, 302, 303, 307, 308] = Field(default=302, alias="statusCode")


class UrlRewrite(Spec):
    """What the callee is asked instead."""

    hostname: str | None = Field(default=None, pattern=r"^[a-z0-9]([a-z0-9.-]{0,252}[a-z0-9])?$")
    path: PathModifier | None = None


class Fraction(Spec):
    numerator: int = Field(ge=0)
    denominator: int = Field(default=100, gt=0)


class RequestMirror(Spec):
    """Who gets a copy, and of how many requests."""

    backend_ref: BackendRef = Field(alias="backendRef")
    percent: int | None = Field(default=None, ge=0, le=100)
    fraction: Fraction | None = None

    @property
    def per_million(self) -> int:
        """Copies in a million requests."""
        if self.fraction is not None:
            return min(1_000_000, round(1_000_000 * self.fraction.numerator / self.fraction.denominator))
        return 1_000_000 if self.percent is None else self.percent * 10_000


class DirectResponse(Spec):
    """What the mesh answers itself."""

    status: int = Field(ge=200, le=599)
    body: str = Field(default="", max_length=65_536)
    content_type: str = Field(default="text/plain; charset=utf-8", alias="contentType")


class Filter(Spec):
    """One thing done on the way; the field of its type and no other is given."""

    type: Literal[
        "RequestHeaderModifier",
        "ResponseHeaderModifier",
        "RequestRedirect",
        "URLRewrite",
        "RequestMirror",
        "DirectResponse",
    ]
    request_header_modifier: HeaderModifier | None = Field(default=None, alias="requestHeaderModifier")
    response_header_modifier: HeaderModifier | None = Field(default=None, alias="responseHeaderModifier")
    request_redirect: RequestRedirect | None = Field(default=None, alias="requestRedirect")
    url_rewrite: UrlRewrite | None = Field(default=None, alias="urlRewrite")
    request_mirror: RequestMirror | None = Field(default=None, alias="requestMirror")
    direct_response: DirectResponse | None = Field(default=None, alias="directResponse")

    @model_validator(mode="before")
    @classmethod
    def _has_its_field(cls, given: Any) -> Any:
        if isinstance(given, dict) and isinstance(kind := given.get("type"), str):
            field = "urlRewrite" if kind == "URLRewrite" else kind[:1].lower() + kind[1:]
            others = sorted(set(given) - {"type", field})
            if field not in given or others:
                raise ValueError(f"type {kind} needs {field}" + (f" and not {', '.join(others)}" if others else ""))
        return given


class Timeouts(Spec):
    request: Milliseconds | None = Field(default=None, description="Of the whole request, all attempts together.")
    backend_request: Milliseconds | None = Field(default=None, alias="backendRequest", description="Of one attempt.")

    @model_validator(mode="after")
    def _fit(self) -> Timeouts:
        if self.request is not None and self.backend_request is not None and self.backend_request > self.request:
            raise ValueError("backendRequest cannot be longer than request")
        return self


class SessionPersistence(Spec):
    """Keeps those with the same header or cookie on the same backend."""

    type: Literal["Cookie", "Header"] = "Cookie"
    session_name: HeaderName = Field(alias="sessionName")


class Rule(Spec):
    """What both kinds of rules say beside what they match."""

    name: Name | None = None
    filters: tuple[Filter, ...] = ()
    backend_refs: tuple[BackendRef, ...] = Field(default=(), alias="backendRefs")
    timeouts: Timeouts = Timeouts()
    session_persistence: SessionPersistence | None = Field(default=None, alias="sessionPersistence")

    @property
    def shares(self) -> str:
        """How requests are divided, for people: "cart v1 90, cart v2 10"."""
        named = ((" ".join(filter(None, (ref.name, ref.version))), ref.weight) for ref in self.backend_refs)
        return ", ".join(f"{name} {weight}" for name, weight in named) or "nobody"

    @model_validator(mode="after")
    def _leads_somewhere(self) -> Rule:
        kinds = [one.type for one in self.filters]
        for kind in ("RequestRedirect", "URLRewrite", "DirectResponse", "RequestHeaderModifier"):
            if kinds.count(kind) > 1:
                raise ValueError(f"filters: {kind} can be given once")
        ends = [kind for kind in kinds if kind in ("RequestRedirect", "DirectResponse")]
        if len(ends) > 1 or (ends and "URLRewrite" in kinds):
            raise ValueError("filters: RequestRedirect, DirectResponse and URLRewrite exclude each other")
        if ends and self.backend_refs:
            raise ValueError(f"backendRefs: a rule with {ends[0]} sends nothing on")
        if not ends and sum(ref.weight for ref in self.backend_refs) == 0:
            raise ValueError("backendRefs: expected at least one with a weight, or a filter that answers")
        return self
