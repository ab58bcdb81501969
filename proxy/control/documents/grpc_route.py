"""The kind `GRPCRoute` of the Gateway API: the same for services and methods of gRPC."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from proxy.control.documents.base import Document, Spec
from proxy.control.documents.route_parts import HeaderMatch, ParentRef, Rule, expression


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


class GrpcRouteSpec(Spec):
    parent_refs: tuple[ParentRef, ...] = Field(alias="parentRefs", min_length=1)
    rules: tuple[GrpcRule, ...] = Field(min_length=1)


class GrpcRoute(Document):
    """Routes of one or more Services that speak gRPC."""

    api_version: Literal["gateway.networking.k8s.io/v1"] = Field(alias="apiVersion")
    kind: Literal["GRPCRoute"]
    spec: GrpcRouteSpec

    @property
    def concerns(self) -> str:
        """The first Service whose requests it routes."""
        return self.spec.parent_refs[0].full_name(self)
