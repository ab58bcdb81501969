"""The kind `TrafficPolicy`: how the instances of a Service are called, and which requests it or a Gateway lets in."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from proxy.control.documents.base import OwnDocument, Spec
from proxy.control.documents.gate import ConcurrencySpec, PrioritySpec, RateLimitSpec, SheddingSpec
from proxy.control.documents.route_parts import AnyTarget, HeaderName
from proxy.control.documents.spelling import Milliseconds, Size
from proxy.snapshot.gate import MOST
from proxy.snapshot.policies import BalancerKind, Percent, RetryOn
from proxy.snapshot.routes import Attempts, Status


class HashOnSpec(Spec):
    """What tells callers apart: a header, a cookie, or the caller's address."""

    header: HeaderName | None = None
    cookie: HeaderName | None = None
    source: Literal[True] | None = None

    @model_validator(mode="after")
    def _is_one(self) -> HashOnSpec:
        if sum(part is not None for part in (self.header, self.cookie, self.source)) != 1:
            raise ValueError("expected one of header, cookie or source: true")
        return self


class BalancerSpec(Spec):
    type: BalancerKind = "peakEwma"
    hash_on: HashOnSpec | None = Field(default=None, alias="hashOn")
    slow_start: Milliseconds | None = Field(default=None, alias="slowStart")
    zone_threshold: int | None = Field(default=None, ge=1, le=100, alias="zoneThreshold")

    @model_validator(mode="after")
    def _hashes_something(self) -> BalancerSpec:
        if (self.type == "hash") != (self.hash_on is not None):
            raise ValueError("hashOn belongs to type: hash, and has to be given with it")
        return self


class OutlierSpec(Spec):
    consecutive_failures: int = Field(default=5, ge=0, le=1_000, alias="consecutiveFailures")
    success_rate: bool = Field(default=True, alias="successRate")
    latency_factor: float | None = Field(default=None, ge=1.5, le=1_000, alias="latencyFactor")
    interval: Milliseconds = 10_000
    least_requests: int = Field(default=20, ge=1, le=1_000_000, alias="leastRequests")
    ejection_time: Milliseconds = Field(default=30_000, alias="ejectionTime")
    max_ejected: Percent = Field(default=50, alias="maxEjected")
    panic_threshold: Percent = Field(default=50, alias="panicThreshold")


class BreakerSpec(Spec):
    requests: int | None = Field(default=None, gt=0)
    pending: int | None = Field(default=None, gt=0)
    connections: int | None = Field(default=None, gt=0)


class BackoffSpec(Spec):
    base: Annotated[Milliseconds, Field(le=60_000)] = 25
    max: Annotated[Milliseconds, Field(le=60_000)] = 250


class BudgetSpec(Spec):
    percent: Percent = 20
    per_second: int = Field(default=10, ge=0, le=1_000_000, alias="perSecond")


class RetrySpec(Spec):
    attempts: Attempts = 2
    on: tuple[RetryOn, ...] = ("connect", "reset", "gateway")
    statuses: tuple[Status, ...] = ()
    backoff: BackoffSpec = BackoffSpec()
    budget: BudgetSpec = BudgetSpec()
    body_bytes: Annotated[Size, Field(le=16_777_216)] = Field(default=65_536, alias="bodyBytes")


class HedgeSpec(Spec):
    after: Milliseconds


class TrafficPolicySpec(Spec):
    target_ref: AnyTarget = Field(alias="targetRef")
    balancer: BalancerSpec = BalancerSpec()
    outlier: OutlierSpec | None = None
    breaker: BreakerSpec | None = None
    retry: RetrySpec | None = None
    rate_limits: tuple[RateLimitSpec, ...] = Field(default=(), max_length=MOST, alias="rateLimits")
    concurrency: ConcurrencySpec | None = None
    shedding: SheddingSpec | None = None
    priority: PrioritySpec = PrioritySpec()
    hedge: HedgeSpec | None = None

    @model_validator(mode="after")
    def _fits_its_target(self) -> TrafficPolicySpec:
        of_calls = sorted({"balancer", "outlier", "breaker", "retry", "hedge"} & self.model_fields_set)
        if of_calls and self.target_ref.kind == "Gateway":
            raise ValueError(f"{of_calls[0]}: is for the Services that a Gateway calls; target these")
        return self


class TrafficPolicy(OwnDocument):
    """One a Service or Gateway at most."""

    kind: Literal["TrafficPolicy"]
    spec: TrafficPolicySpec

    @property
    def concerns(self) -> str:
        """The Service or Gateway it is for."""
        return self.spec.target_ref.full_name(self)
