"""`TrafficPolicy.spec`, the parts that hold where requests arrive: rate limit, concurrency limit, load shedding."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from proxy.control.documents.base import Spec
from proxy.control.documents.route_parts import HeaderName
from proxy.control.documents.spelling import Milliseconds
from proxy.snapshot.routes import HeaderValue

Amount = Annotated[int, Field(gt=0, le=1_000_000_000)]
AtOnce = Annotated[int, Field(gt=0, le=100_000)]


class RateKeySpec(Spec):
    """What has a limit of its own: each calling service, or each value of a header."""

    header: HeaderName | None = None
    source: Literal[True] | None = None

    @model_validator(mode="after")
    def _is_one(self) -> RateKeySpec:
        if (self.header is None) == (self.source is None):
            raise ValueError("expected one of header or source: true")
        return self


class RateLimitSpec(Spec):
    requests: Amount
    per: Milliseconds = 1_000
    burst: Amount | None = None
    by: RateKeySpec | None = None
    keys: AtOnce = 1_000


class ConcurrencySpec(Spec):
    min: AtOnce = 5
    max: AtOnce = 1_000
    tolerance: float = Field(default=2.0, ge=1.1, le=10)
    window: Annotated[Milliseconds, Field(ge=10, le=60_000)] = 100
    measure: Annotated[Milliseconds, Field(ge=1_000, le=3_600_000)] = 30_000

    @model_validator(mode="after")
    def _leaves_room(self) -> ConcurrencySpec:
        if self.min > self.max:
            raise ValueError("min cannot be more than max")
        return self


class SparedSpec(Spec):
    header: HeaderName
    value: HeaderValue


class SheddingSpec(Spec):
    lag: Annotated[Milliseconds, Field(ge=5, le=60_000)]
    spared: SparedSpec | None = None
