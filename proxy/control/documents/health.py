"""`spec.health` of a Service: how it is found out whether an instance can serve."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from proxy.control.documents.base import Spec
from proxy.control.documents.spelling import Milliseconds

_Status = Annotated[int, Field(ge=100, le=599)]


class HttpCheck(Spec):
    """A GET; well is who answers with one of these statuses."""

    path: Annotated[str, StringConstraints(pattern=r"^/[\x21-\x7e]{0,1023}$")] = "/"
    host: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,255}$")] | None = None
    statuses: tuple[_Status, ...] = Field(default=(), description="Any of 200 to 299 where none is named.")

    def takes(self, status: int) -> bool:
        """Whether an answer of this status is that of a well instance."""
        return status in self.statuses if self.statuses else 200 <= status < 300


class TcpCheck(Spec):
    """Well is who takes a connection."""


class GrpcCheck(Spec):
    """Well is who answers SERVING (grpc.health.v1) for this service; empty: for all of its own."""

    service: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{0,255}$")] = ""


class HealthSpec(Spec):
    """One way to find out, and how many answers it takes."""

    http: HttpCheck | None = None
    tcp: TcpCheck | None = None
    grpc: GrpcCheck | None = None
    ttl: Milliseconds | None = Field(default=None, description="Instances report themselves, at least this often.")
    interval: Milliseconds = 10_000
    timeout: Milliseconds = 1_000
    passes: int = Field(default=2, ge=1, le=100, description="In a row, until an unwell instance is well again.")
    fails: int = Field(default=3, ge=1, le=100, description="In a row, until a well instance is unwell.")
    panic: int = Field(default=50, ge=0, le=100, description="Below this percentage of well ones nobody is left out.")

    @model_validator(mode="after")
    def _is_one_check(self) -> Self:
        if sum(one is not None for one in (self.http, self.tcp, self.grpc, self.ttl)) != 1:
            raise ValueError("expected one of http, tcp, grpc and ttl")
        if self.interval < 100:
            raise ValueError("interval: expected 100ms or more")
        return self
