"""The kind `FaultInjection`: faults made on purpose in the calls to a Service, to see what its callers do then."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from proxy.control.documents.base import OwnDocument, Spec
from proxy.control.documents.http_route import HttpMatch
from proxy.control.documents.route_parts import Target
from proxy.control.documents.spelling import Milliseconds


def _of_hundredths(value: float) -> float:
    if abs(value * 100 - round(value * 100)) > 1e-6:
        raise ValueError("expected a percentage with two decimals at most, such as 0.01")
    return value


Percentage = Annotated[float, Field(ge=0, le=100), AfterValidator(_of_hundredths)]


class Delay(Spec):
    """How long requests wait before anything else is done with them."""

    fixed: Milliseconds
    jitter: Milliseconds | None = Field(default=None, description="Up to so much longer, at random.")

    @model_validator(mode="after")
    def _ends(self) -> Delay:
        if self.fixed + (self.jitter or 0) > 3_600_000:
            raise ValueError("expected an hour at most, jitter included")
        return self


class Abort(Spec):
    """What callers get in the place of an answer of the Service."""

    status: int | None = Field(default=None, ge=200, le=599)
    grpc_status: int | None = Field(default=None, ge=1, le=16, alias="grpcStatus")
    reset: Literal[True] | None = None

    @model_validator(mode="after")
    def _says_what(self) -> Abort:
        if [self.status, self.grpc_status, self.reset].count(None) != 2:
            raise ValueError("expected one of status, grpcStatus and reset")
        return self


class FaultRule(Spec):
    """What happens to which requests; the first rule that matches counts."""

    name: str | None = Field(default=None, pattern=r"^[a-z0-9]([a-z0-9.-]{0,126}[a-z0-9])?$")
    matches: tuple[HttpMatch, ...] = Field(default=(HttpMatch(),), min_length=1)
    callers: tuple[Target, ...] | None = Field(default=None, min_length=1)
    percentage: Percentage = 100
    delay: Delay | None = None
    abort: Abort | None = None

    @model_validator(mode="after")
    def _does_something(self) -> FaultRule:
        if self.delay is None and self.abort is None:
            raise ValueError("expected delay, abort or both")
        return self


class FaultInjectionSpec(Spec):
    target_ref: Target = Field(alias="targetRef")
    rules: tuple[FaultRule, ...] = Field(min_length=1)


class FaultInjection(OwnDocument):
    """Faults in the calls to one Service, made by the proxies of its callers."""

    kind: Literal["FaultInjection"]
    spec: FaultInjectionSpec

    @property
    def concerns(self) -> str:
        """The Service in the calls to which there are faults."""
        return self.spec.target_ref.full_name(self)
