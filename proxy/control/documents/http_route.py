"""The kind `HTTPRoute` of the Gateway API: which way the requests of a Service go."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from proxy.control.documents.base import Spec
from proxy.control.documents.expression import expression
from proxy.control.documents.filters import PathModifier
from proxy.control.documents.route import RouteDocument, RouteSpec, Rule
from proxy.control.documents.route_parts import HeaderMatch, ValueMatch, plain_path
from proxy.control.documents.spelling import Milliseconds
from proxy.snapshot.routes import Status

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


class HttpRetry(Spec):
    """When its requests are sent again (GEP-1731); what is not given is as the TrafficPolicy of the backend says."""

    codes: tuple[Status, ...] | None = Field(default=None, min_length=1)
    attempts: int | None = Field(default=None, ge=0, le=9, description="After the first.")
    backoff: Annotated[Milliseconds, Field(le=60_000)] | None = None


class HttpRule(Rule):
    matches: tuple[HttpMatch, ...] = (HttpMatch(),)
    retry: HttpRetry | None = None

    @model_validator(mode="after")
    def _prefixes_are_there_to_replace(self) -> HttpRule:
        for one in self.filters:
            path = next((part.path for part in (one.request_redirect, one.url_rewrite) if part is not None), None)
            cuts = isinstance(path, PathModifier) and path.type == "ReplacePrefixMatch"
            if cuts and any(match.path.type != "PathPrefix" for match in self.matches):
                raise ValueError("filters: ReplacePrefixMatch needs matches of type PathPrefix only")
        return self


class HttpRouteSpec(RouteSpec):
    rules: tuple[HttpRule, ...] = Field(min_length=1)


class HttpRoute(RouteDocument):
    """Routes of one or more Services."""

    kind: Literal["HTTPRoute"]
    spec: HttpRouteSpec
