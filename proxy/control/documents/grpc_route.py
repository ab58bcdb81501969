"""The kind `GRPCRoute` of the Gateway API: the same for services and methods of gRPC."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from proxy.control.documents.base import Spec
from proxy.control.documents.expression import expression
from proxy.control.documents.route import RouteDocument, RouteSpec, Rule
from proxy.control.documents.route_parts import HeaderMatch


class GrpcMethodMatch(Spec):
    """A service (`shop.Cart`), a method (`Add`), or both."""

    type: Literal["Exact", "RegularExpression"] = "Exact"
    service: str | None = Field(default=None, min_length=1, max_length=1_024)
    method: str | None = Field(default=None, min_length=1, max_length=1_024)

    @model_validator(mode="after")
    def _says_what(self) -> GrpcMethodMatch:
        given = [text for text in (self.service, self.method) if text is not None]
        if not given:
            raise ValueError("expected service, method or both")
        for text in given:
            if self.type == "RegularExpression":
                expression(text)
            elif "/" in text:
                raise ValueError(f"{text!r} has a slash: give service and method apart")
        return self


class GrpcMatch(Spec):
    """All that is given must hold."""

    method: GrpcMethodMatch | None = None
    headers: tuple[HeaderMatch, ...] = ()


class GrpcRule(Rule):
    matches: tuple[GrpcMatch, ...] = (GrpcMatch(),)


class GrpcRouteSpec(RouteSpec):
    rules: tuple[GrpcRule, ...] = Field(min_length=1)


class GrpcRoute(RouteDocument):
    """Routes of one or more Services that speak gRPC."""

    kind: Literal["GRPCRoute"]
    spec: GrpcRouteSpec
