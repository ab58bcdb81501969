"""What a rule does to requests and responses on the way: the filters of the Gateway API, and `DirectResponse`, ours."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from proxy.control.documents.base import Spec
from proxy.control.documents.route_parts import BackendRef, HeaderName, Path
from proxy.snapshot.routes import HeaderValue

_NOT_EDITED = {
    *("connection", "content-length", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"),
    *("mesh-reason", "traceparent", "tracestate", "x-mesh-source"),
}


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
