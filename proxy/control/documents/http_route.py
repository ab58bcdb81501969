"""The kind `HTTPRoute` of the Gateway API: which way the requests of a Service go."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from proxy.control.documents.base import Document, Spec
from proxy.control.documents.route_parts import (
    HeaderMatch,
    ParentRef,
    PathModifier,
    Rule,
    ValueMatch,
    expression,
    plain_path,
)

Method = Literal["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"]


class HttpPathMatch(Spec):
    type: Literal["Exact", "PathPrefix", "RegularExpression"] = "PathPrefix"
    value: str = Field(default="/", max_length=1_024)

    @model_validator(mode="after")
    def _can_be_matched(self) -> HttpPathMatch:
        if self.type == "RegularExpression":
            expression(self.value)
        else:
            plain_path(self.value)
        return self


class HttpMatch(Spec):
    """All that is given must hold."""

    path: HttpPathMatch = HttpPathMatch()
    headers: tuple[HeaderMatch, ...] = ()
    query_params: tuple[ValueMatch, ...] = Field(default=(), alias="queryParams")
    method: Method | None = None


class HttpRule(Rule):
    matches: tuple[HttpMatch, ...] = (HttpMatch(),)

    @model_validator(mode="after")
    def _prefixes_are_there_to_replace(self) -> HttpRule:
        for one in self.filters:
            path = next((part.path for part in (one.request_redirect, one.url_rewrite) if part is not None), None)
            cuts = isinstance(path, PathModifier) and path.type == "ReplacePrefixMatch"
            if cuts and any(match.path.type != "PathPrefix" for match in self.matches):
                raise ValueError("filters: ReplacePrefixMatch needs matches of type PathPrefix only")
        return self


class HttpRouteSpec(Spec):
    parent_refs: tuple[ParentRef, ...] = Field(alias="parentRefs", min_length=1)
    rules: tuple[HttpRule, ...] = Field(min_length=1)


class HttpRoute(Document):
    """Routes of one or more Services."""

    api_version: Literal["gateway.networking.k8s.io/v1"] = Field(alias="apiVersion")
    kind: Literal["HTTPRoute"]
    spec: HttpRouteSpec

    @property
    def concerns(self) -> str:
        """The first Service whose requests it routes."""
        return self.spec.parent_refs[0].full_name(self)
