"""Which of the requests that arrive reach the application."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from proxy.snapshot.parts import Part
from proxy.snapshot.routes import HeaderName, HeaderValue


class RateKey(Part):
    """What has a bucket of its own: each calling service, or each value of a header."""

    kind: Literal["source", "header"]
    name: HeaderName | None = None


class RateLimit(Part):
    """So many requests in so much time; what was saved up is `burst` at most."""

    requests: int = Field(gt=0, le=1_000_000_000)
    per_ms: int = Field(default=1_000, gt=0, le=86_400_000)
    burst: int = Field(gt=0, le=1_000_000_000)
    by: RateKey | None = Field(default=None, description="None: one bucket for all.")
    keys: int = Field(default=1_000, gt=0, le=100_000, description="Buckets at most; the rest share one.")


class Concurrency(Part):
    """Requests at once, as many as the application serves without a queue of its own."""

    least: int = Field(default=5, gt=0, le=100_000)
    most: int = Field(default=1_000, gt=0, le=100_000)
    tolerance: float = Field(default=2.0, ge=1.1, le=10, description="Latency in times of that without a queue.")
    window_ms: int = Field(default=100, ge=10, le=60_000, description="How often it is adjusted.")
    measure_ms: int = Field(default=30_000, ge=1_000, le=3_600_000, description="How often latency is measured anew.")


class Spared(Part):
    """A header by which requests are let in all the same."""

    name: HeaderName
    value: HeaderValue


class Shedding(Part):
    """Refuse requests while the proxy itself is late by so much."""

    lag_ms: int = Field(ge=5, le=60_000)
    spared: Spared | None = None


class Gate(Part):
    """Everything of this about one application."""

    rate_limit: RateLimit | None = None
    concurrency: Concurrency | None = None
    shedding: Shedding | None = None
