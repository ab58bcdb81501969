"""Which of the requests that arrive reach the application."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from proxy.snapshot.parts import Part
from proxy.snapshot.routes import HeaderName, Method, PathMatch, ValueMatch

MOST = 64
"""How many of anything there can be; each is looked at for every request."""


class Asked(Part):
    """What a request has to be; all that is given must hold."""

    path: PathMatch | None = None
    method: Method | None = None
    headers: tuple[ValueMatch, ...] = ()
    query: tuple[ValueMatch, ...] = ()


class RateKey(Part):
    """What has a bucket of its own: each calling service, or each value of a header."""

    kind: Literal["source", "header"]
    name: HeaderName | None = None


class Rate(Part):
    """So many requests in so much time; what was saved up is `burst` at most."""

    requests: int = Field(gt=0, le=1_000_000_000)
    per_ms: int = Field(default=1_000, gt=0, le=86_400_000)
    burst: int = Field(gt=0, le=1_000_000_000)


class OwnRate(Part):
    """The rate of one caller in the place of that of the others."""

    key: str = Field(max_length=4_096)
    rate: Rate


class RateLimit(Part):
    """A request needs a token of each limit that is for it."""

    name: str = Field(max_length=128, description="As people know it.")
    matches: tuple[Asked, ...] = Field(default=(), max_length=MOST, description="None: for every request.")
    rate: Rate
    by: RateKey | None = Field(default=None, description="None: one bucket for all.")
    keys: int = Field(default=1_000, gt=0, le=100_000, description="Buckets at most; the rest share one.")
    own: tuple[OwnRate, ...] = Field(default=(), max_length=MOST)


class Concurrency(Part):
    """Requests at once, as many as the application serves without a queue of its own."""

    least: int = Field(default=5, gt=0, le=100_000)
    most: int = Field(default=1_000, gt=0, le=100_000)
    tolerance: float = Field(default=2.0, ge=1.1, le=10, description="Latency in times of that without a queue.")
    window_ms: int = Field(default=100, ge=10, le=60_000, description="How often it is adjusted.")
    measure_ms: int = Field(default=30_000, ge=1_000, le=3_600_000, description="How often latency is measured anew.")


class Shedding(Part):
    """Refuse requests while the proxy itself is late by so much."""

    lag_ms: int = Field(ge=5, le=60_000)


class Priority(Part):
    """Who is let in whatever happens, and who is refused first; retries are in any case."""

    spared: tuple[Asked, ...] = Field(default=(), max_length=MOST)
    expendable: tuple[Asked, ...] = Field(default=(), max_length=MOST)


class Gate(Part):
    """Everything of this about one application."""

    rate_limits: tuple[RateLimit, ...] = Field(default=(), max_length=MOST)
    concurrency: Concurrency | None = None
    shedding: Shedding | None = None
    priority: Priority = Priority()
