"""How a service is called: which instance, how often again, and when not at all."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from proxy.snapshot.parts import Part
from proxy.snapshot.routes import Attempts, HeaderName, Status

BalancerKind = Literal["peakEwma", "leastRequest", "roundRobin", "random", "hash"]
RetryOn = Literal["connect", "reset", "timeout", "gateway", "5xx"]
Percent = Annotated[int, Field(ge=0, le=100)]
Milliseconds = Annotated[int, Field(gt=0, le=86_400_000)]


class HashOn(Part):
    """What tells callers apart for the balancer `hash`."""

    kind: Literal["header", "cookie", "source"]
    name: HeaderName | None = None


class Balancer(Part):
    """How an instance is chosen."""

    kind: BalancerKind = "peakEwma"
    hash_on: HashOn | None = None
    slow_start_ms: int = Field(default=0, ge=0, le=86_400_000, description="A new instance gets its full share after.")
    zone_percent: int | None = Field(
        default=None, ge=1, le=100, description="Of its own zone's instances, that must be healthy to stay in it."
    )


class Outlier(Part):
    """When an instance is left out for a while."""

    consecutive: int = Field(default=5, ge=0, le=1_000, description="Failures in a row; 0: never for that.")
    success_rate: bool = True
    latency_factor: float | None = Field(default=None, ge=1.5, le=1_000, description="Times the others' typical one.")
    interval_ms: Milliseconds = 10_000
    least_requests: int = Field(default=20, ge=1, le=1_000_000, description="An interval's, to be judged by it.")
    ejection_ms: Milliseconds = 30_000
    most_ejected: Percent = 50
    panic: Percent = Field(default=50, description="With fewer healthy instances all are used.")


class Breaker(Part):
    """What may go on with a service at once, of one proxy; beyond it requests are refused."""

    requests: int | None = Field(default=None, gt=0)
    pending: int | None = Field(default=None, gt=0, description="Connections being opened.")
    connections: int | None = Field(default=None, gt=0)


class Retry(Part):
    """When a request is sent again."""

    attempts: Attempts = 2
    on: tuple[RetryOn, ...] = ("connect", "reset", "gateway")
    statuses: tuple[Status, ...] = ()
    backoff_ms: int = Field(default=25, ge=0, le=60_000)
    backoff_max_ms: int = Field(default=250, ge=0, le=60_000)
    budget_percent: Percent = Field(default=20, description="Retries in parts of all requests …")
    budget_per_s: int = Field(default=10, ge=0, le=1_000_000, description="… and so many a second besides.")
    body_bytes: int = Field(default=65_536, ge=0, le=16_777_216, description="A longer body is sent once only.")


class Hedge(Part):
    """When a second copy of a request goes to another instance: the first good answer counts."""

    after_ms: Milliseconds


class Policy(Part):
    """Everything of this about one service."""

    balancer: Balancer = Balancer()
    outlier: Outlier | None = None
    breaker: Breaker | None = None
    retry: Retry | None = None
    hedge: Hedge | None = None
