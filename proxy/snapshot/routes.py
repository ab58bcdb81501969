"""Which way the requests of a service go: matches in the order in which they are tried, and what is done on the way."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from proxy.snapshot.parts import Name, Part

HeaderName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9!#$%&'*+.^_`|~-]{1,256}$")]
HeaderValue = Annotated[str, StringConstraints(pattern=r"^[\x20-\x7e\t]*$", max_length=4_096)]
Method = Annotated[str, StringConstraints(pattern=r"^[A-Z]{1,32}$")]
Host = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]{0,252}[a-z0-9])?$")]
Version = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9]([A-Za-z0-9._-]{0,62})?)?$")]
Path = Annotated[str, StringConstraints(pattern=r"^(/[\x21-\x7e]*)?$", max_length=4_096)]
TimeLimit = Annotated[int, Field(ge=0, le=86_400_000)]
"""Milliseconds; 0 is no limit."""
HeaderPair = tuple[HeaderName, HeaderValue]
Status = Annotated[int, Field(ge=400, le=599)]
Attempts = Annotated[int, Field(ge=1, le=10)]
"""The first one included."""


class PathMatch(Part):
    """`prefix` goes by whole segments: /a matches /a/b and not /ab; in a `template` each {name} is any one of them.

    A `regex` has to match the whole path.
    """

    kind: Literal["exact", "prefix", "template", "regex"]
    value: str = Field(max_length=4_096)


class ValueMatch(Part):
    """One header or query parameter; a `regex` has to match the whole value."""

    name: str = Field(max_length=256)
    kind: Literal["exact", "regex"] = "exact"
    value: str = Field(max_length=4_096)


class HeaderEdit(Part):
    """Applied in this order: set, add, remove."""

    set: tuple[HeaderPair, ...] = ()
    add: tuple[HeaderPair, ...] = ()
    remove: tuple[HeaderName, ...] = ()


class PathEdit(Part):
    """Replaces the path, or only the `prefix` of it that was matched."""

    value: Path
    prefix: Path | None = None


class Redirect(Part):
    """Sends the caller elsewhere; what is not given stays as it was asked for."""

    scheme: Literal["http", "https"] | None = None
    host: Host | None = None
    port: int | None = Field(default=None, gt=0, lt=65_536)
    path: PathEdit | None = None
    status: Literal[301, 302, 303, 307, 308] = 302


class Rewrite(Part):
    """What the callee is asked instead."""

    host: Host | None = None
    path: PathEdit | None = None


class Answer(Part):
    """An answer that the proxy gives itself."""

    status: int = Field(ge=200, le=599)
    body: str = Field(default="", max_length=65_536)
    content_type: HeaderValue = "text/plain; charset=utf-8"


class Backend(Part):
    """A service of the snapshot, or those of its instances that are of one version."""

    service: Name
    version: Version = ""
    weight: int = Field(default=1, ge=0, le=1_000_000)


class Mirror(Part):
    """Who gets a copy, of how many requests in a million; what it answers is thrown away."""

    to: Backend
    per_million: int = Field(default=1_000_000, ge=0, le=1_000_000)


class Sticky(Part):
    """Requests with the same value of this header or cookie take the same backend, and the same instance of it."""

    kind: Literal["header", "cookie"]
    name: HeaderName
    given: bool = Field(default=False, description="Callers without one are given one with the answer.")
    max_age_s: int | None = Field(default=None, ge=1, le=31_536_000, description="How long a cookie is kept.")


class RouteRetry(Part):
    """When a request of this route is sent again; what is not given is as the policy of the backend says."""

    attempts: Attempts | None = None
    statuses: tuple[Status, ...] | None = Field(default=None, description="These, and no answer at all.")
    pause_ms: int | None = Field(default=None, ge=0, le=60_000, description="At least, before each.")


class Route(Part):
    """One match and what becomes of its requests; the first route that matches counts."""

    name: str = Field(description="HTTPRoute and rule, as people know them.")
    path: PathMatch | None = None
    method: Method | None = None
    headers: tuple[ValueMatch, ...] = ()
    query: tuple[ValueMatch, ...] = ()
    request_headers: HeaderEdit | None = None
    response_headers: HeaderEdit | None = None
    redirect: Redirect | None = None
    rewrite: Rewrite | None = None
    answer: Answer | None = None
    mirrors: tuple[Mirror, ...] = ()
    backends: tuple[Backend, ...] = ()
    sticky: Sticky | None = None
    timeout_ms: TimeLimit | None = Field(default=None, description="Of the whole request, all attempts together.")
    attempt_timeout_ms: TimeLimit | None = Field(default=None, description="Of one attempt.")
    retry: RouteRetry | None = None
