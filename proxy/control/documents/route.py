"""What HTTPRoute and GRPCRoute have in common: whose requests they route, where to, and how long that may take."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from proxy.control.documents.base import Document, Spec
from proxy.control.documents.filters import Filter
from proxy.control.documents.route_parts import BackendRef, HeaderName, ParentRef
from proxy.control.documents.spelling import Milliseconds, MillisecondsOrNone
from proxy.snapshot import Name, ServerName

_ONCE = ("RequestHeaderModifier", "ResponseHeaderModifier", "RequestRedirect", "URLRewrite", "DirectResponse")


class Timeouts(Spec):
    """How long requests may take; 0s: without limit."""

    request: MillisecondsOrNone | None = Field(default=None, description="Of the whole request, with all its attempts.")
    backend_request: MillisecondsOrNone | None = Field(
        default=None, alias="backendRequest", description="Of one attempt."
    )

    @model_validator(mode="after")
    def _fit(self) -> Timeouts:
        if self.request and self.backend_request and self.backend_request > self.request:
            raise ValueError("backendRequest cannot be longer than request")
        return self


class CookieConfig(Spec):
    lifetime_type: Literal["Session", "Permanent"] = Field(default="Session", alias="lifetimeType")


class SessionPersistence(Spec):
    """Keeps a session on the same backend, by a token in a cookie or header."""

    type: Literal["Cookie", "Header"] = "Cookie"
    session_name: HeaderName = Field(default="mesh-session", alias="sessionName")
    absolute_timeout: Milliseconds | None = Field(default=None, alias="absoluteTimeout")
    cookie_config: CookieConfig | None = Field(default=None, alias="cookieConfig")
    given_by: Literal["Mesh", "Application"] = Field(
        default="Mesh", alias="tokenFrom", description="Who gives callers their token. An extension."
    )

    @model_validator(mode="after")
    def _lasts_as_it_says(self) -> SessionPersistence:
        lasts = self.cookie_config is not None and self.cookie_config.lifetime_type == "Permanent"
        if lasts != (self.absolute_timeout is not None):
            raise ValueError("absoluteTimeout and cookieConfig.lifetimeType: Permanent belong together")
        if lasts and (self.type, self.given_by) != ("Cookie", "Mesh"):
            raise ValueError("absoluteTimeout is for cookies that the mesh gives")
        return self

    @property
    def gives_tokens(self) -> bool:
        """Whether the mesh gives a token to those who have none."""
        return self.given_by != "Application"

    @property
    def max_age_s(self) -> int | None:
        """How long the cookie is kept; None: as long as the browser runs."""
        return None if self.absolute_timeout is None else max(1, self.absolute_timeout // 1_000)


class Rule(Spec):
    """What both kinds of rules say beside what they match."""

    name: Name | None = None
    filters: tuple[Filter, ...] = ()
    backend_refs: tuple[BackendRef, ...] = Field(default=(), alias="backendRefs")
    timeouts: Timeouts = Timeouts()
    session_persistence: SessionPersistence | None = Field(default=None, alias="sessionPersistence")

    @model_validator(mode="after")
    def _is_of_one_mind(self) -> Rule:
        kinds: list[str] = [one.type for one in self.filters]
        for kind in _ONCE:
            if kinds.count(kind) > 1:
                raise ValueError(f"filters: {kind} can be given once")
        ends = [kind for kind in kinds if kind in ("RequestRedirect", "DirectResponse")]
        if len(ends) > 1 or (ends and "URLRewrite" in kinds):
            raise ValueError("filters: RequestRedirect, DirectResponse and URLRewrite exclude each other")
        if ends and self.backend_refs:
            raise ValueError(f"backendRefs: a rule with {ends[0]} sends nothing on")
        return self


class RouteSpec(Spec):
    """Whose requests, and the rules for them; subclasses say what their rules match."""

    parent_refs: tuple[ParentRef, ...] = Field(alias="parentRefs", min_length=1)
    hostnames: tuple[ServerName, ...] = ()
    rules: tuple[Rule, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_are_unique(self) -> RouteSpec:
        names = [rule.name for rule in self.rules if rule.name]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"rules: two rules are called {repeated[0]}")
        return self

    @model_validator(mode="after")
    def _hostnames_mean_something(self) -> RouteSpec:
        if self.hostnames and all(ref.kind == "Service" for ref in self.parent_refs):
            raise ValueError("hostnames: are for routes of a Gateway; requests of a Service are those for its name")
        return self


class RouteDocument(Document):
    """An HTTPRoute or a GRPCRoute."""

    api_version: Literal["gateway.networking.k8s.io/v1"] = Field(alias="apiVersion")
    spec: RouteSpec

    @property
    def parents(self) -> tuple[str, ...]:
        """The Services whose requests it routes."""
        return tuple(ref.full_name(self) for ref in self.spec.parent_refs if ref.kind == "Service")

    @property
    def concerns(self) -> str:
        """The first Service whose requests it routes, or Gateway where they come in."""
        return self.spec.parent_refs[0].full_name(self)
