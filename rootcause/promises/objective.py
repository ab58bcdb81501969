"""An objective: which share of a service's requests are to be good, as operators write it."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

EVERY_ENTRY = "*"
_Percent = Annotated[float, Field(gt=0, lt=100)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Latency(_Part):
    """`share` percent of requests are answered `within_ms`."""

    within_ms: Annotated[float, Field(gt=0)]
    share: _Percent


class Objective(_Part):
    """Over thirty days, `availability` percent of requests do not fail, or answers are as fast as `latency` says.
    `service` "*" holds for each service that requests from outside reach, by itself; `route` is one of its routes."""

    service: str = EVERY_ENTRY
    route: str = ""
    availability: _Percent | None = None
    latency: Latency | None = None

    @model_validator(mode="after")
    def _one_promise(self) -> Self:
        if (self.availability is None) == (self.latency is None):
            raise ValueError("an objective has either availability or latency; write two for both")
        return self

    @property
    def budget(self) -> float:
        """The share (0..1) of requests that may be bad."""
        good = self.latency.share if self.latency is not None else self.availability
        assert good is not None, "one of both is there"
        return 1 - good / 100

    @property
    def name(self) -> str:
        """Tells it from others: `front /checkout latency 300ms 99%`."""
        where = f"{self.service} {self.route}".strip()
        if self.latency is not None:
            return f"{where} latency {self.latency.within_ms:g}ms {self.latency.share:g}%"
        return f"{where} availability {self.availability:g}%"


SENSIBLE = (Objective(availability=99.9),)
"""What is promised when nobody says."""
