"""Faults that a proxy makes on purpose in the calls of its application."""

from __future__ import annotations

from pydantic import Field

from proxy.snapshot.parts import Part
from proxy.snapshot.routes import Method, PathMatch, ValueMatch


class Abort(Part):
    """The answer in the place of the callee's: one of the three."""

    status: int | None = Field(default=None, ge=200, le=599)
    grpc_status: int | None = Field(default=None, ge=1, le=16)
    reset: bool = False


class Fault(Part):
    """What happens to how many of a million requests that match; the first fault that matches counts."""

    name: str = Field(max_length=300, description="FaultInjection and rule, as people know them.")
    path: PathMatch | None = None
    method: Method | None = None
    headers: tuple[ValueMatch, ...] = ()
    query: tuple[ValueMatch, ...] = ()
    per_million: int = Field(default=1_000_000, ge=0, le=1_000_000)
    delay_ms: int = Field(default=0, ge=0, le=3_600_000)
    delay_jitter_ms: int = Field(default=0, ge=0, le=3_600_000, description="Up to so much longer, at random.")
    abort: Abort | None = None
