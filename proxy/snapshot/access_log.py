"""Which requests are logged, and where."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from proxy.snapshot.parts import Part

AbsolutePath = Annotated[str, StringConstraints(pattern=r"^/[^\x00]+$", max_length=4_096)]


class AccessLog(Part):
    """Which requests are logged, and where; without a place none is."""

    stdout: bool = False
    otlp: bool = Field(default=False, description="To the collector, as log records.")
    file: AbsolutePath | None = None
    errors: bool = Field(default=False, description="Only those that failed, or that the mesh gave a reason for.")
    slow_ms: int = Field(default=0, ge=0, le=86_400_000, description="Only those that took so long; 0: does not count.")
