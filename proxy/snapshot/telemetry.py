"""Where records go, and how much may wait on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from proxy.snapshot.access_log import AccessLog
from proxy.snapshot.parts import Part
from proxy.snapshot.routes import HeaderName

ExportProtocol = Literal["http", "grpc"]
Compression = Literal["none", "gzip", "zstd"]
Mode = Literal["all", "recorder"]
B3 = Literal["none", "single", "multi", "both"]


def _zero_or_at_least(least: int) -> Callable[[int], int]:
    """0 switches something off; what is on has a least size."""

    def check(value: int) -> int:
        if 0 < value < least:
            raise ValueError(f"must be 0 (off) or at least {least} bytes")
        return value

    return check


SpoolBytes = Annotated[int, Field(ge=0, le=1 << 40), AfterValidator(_zero_or_at_least(1 << 20))]
RingBytes = Annotated[int, Field(ge=0, le=1 << 32), AfterValidator(_zero_or_at_least(65_536))]
BudgetBytes = Annotated[int, Field(ge=0, le=1 << 40), AfterValidator(_zero_or_at_least(10_000))]


class Telemetry(Part):
    """Where records go and how much may wait on the way."""

    endpoint: str = Field(
        default="",
        description="OTLP/HTTP traces URL (http://host:port/v1/traces) or OTLP/gRPC server (http://host:port);"
        " empty: count, never send.",
    )
    protocol: ExportProtocol = "http"
    compression: Compression = "none"
    queue_records: int = Field(default=65_536, ge=1_024, le=4_194_304, description="Records one worker may hold.")
    batch_records: int = Field(default=4_096, ge=1, le=65_536)
    batch_bytes: int = Field(default=4_000_000, ge=10_000, le=60_000_000, description="Before compression.")
    flush_ms: int = Field(default=500, ge=10, le=60_000)
    spool_bytes: SpoolBytes = Field(default=256 << 20, description="Disk for batches while the collector is away.")
    budget_bytes: BudgetBytes = Field(default=0, description="Bytes to send a minute; ordinary traces are thinned.")
    mode: Mode = Field(default="all", description="recorder: send only traces in which something happened.")
    ring_bytes: RingBytes = Field(default=1 << 20, description="Memory for the last records.")
    slow_ms: int = Field(default=1_000, ge=0, le=86_400_000, description="What takes so long is slow; 0: nothing is.")
    slow_adaptive: bool = Field(default=False, description="So is what takes longer than 99 of 100 of its route.")
    b3: B3 = Field(default="none", description="Headers that go out beside W3C's.")
    request_id: HeaderName | None = Field(
        default="x-request-id", description="By which callers name their requests; kept on the first span."
    )
    log: AccessLog = AccessLog()
