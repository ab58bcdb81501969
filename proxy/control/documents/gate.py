"""`TrafficPolicy.spec`, the parts that hold where requests arrive: rate limits, concurrency limit, load shedding."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from proxy.control.documents.base import Spec
from proxy.control.documents.http_route import HttpMatch
from proxy.control.documents.route_parts import HeaderName
from proxy.control.documents.spelling import Milliseconds
from proxy.snapshot.gate import MOST

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


class RateSpec(Spec):
    requests: Amount
    per: Milliseconds = 1_000
    burst: Amount | None = None


class OverrideSpec(RateSpec):
    """The rate of one caller in the place of that of the others."""

    value: str = Field(min_length=1, max_length=4_096)


class RateLimitSpec(RateSpec):
    name: str | None = Field(default=None, pattern=r"^[a-z0-9]([a-z0-9.-]{0,126}[a-z0-9])?$")
    matches: tuple[HttpMatch, ...] = Field(default=(), max_length=MOST)
    by: RateKeySpec | None = None
    keys: AtOnce = 1_000
    overrides: tuple[OverrideSpec, ...] = Field(default=(), max_length=MOST)

    @model_validator(mode="after")
    def _tells_callers_apart(self) -> RateLimitSpec:
        if self.overrides and self.by is None:
            raise ValueError("overrides: say by what callers are told apart (by)")
        return self


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


class SheddingSpec(Spec):
    lag: Annotated[Milliseconds, Field(ge=5, le=60_000)]


class PrioritySpec(Spec):
    """Who is let in whatever happens, and who is refused first."""

    spared: tuple[HttpMatch, ...] = Field(default=(), max_length=MOST)
    expendable: tuple[HttpMatch, ...] = Field(default=(), max_length=MOST)
