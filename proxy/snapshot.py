"""The configuration one engine accepts; the only type that control plane and sidecar share.

In: what `proxy.control.compile` decided for one proxy. Out: JSON, read by the engine with unknown keys refused
(`proxy/engine/src/snapshot.rs` mirrors these models field by field). Never: anything a proxy does not act on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

HostPort = Annotated[str, StringConstraints(pattern=r"^(\[[0-9a-fA-F:.]+\]|[^\s:/\[\]]+):\d{1,5}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]{0,126}[a-z0-9])?$")]
Label = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,62})?$")]
Protocol = Literal["http1", "http2"]
ExportProtocol = Literal["http", "grpc"]
Compression = Literal["none", "gzip", "zstd"]


def _zero_or_at_least(least: int) -> Callable[[int], int]:
    """0 switches something off; what is on has a least size."""

    def check(value: int) -> int:
        if 0 < value < least:
            raise ValueError(f"must be 0 (off) or at least {least} bytes")
        return value

    return check


SpoolBytes = Annotated[int, Field(ge=0, le=1 << 40), AfterValidator(_zero_or_at_least(1 << 20))]
BudgetBytes = Annotated[int, Field(ge=0, le=1 << 40), AfterValidator(_zero_or_at_least(10_000))]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Node(_Part):
    """Who this proxy stands beside; stamped on each span it records."""

    service: Name
    version: Label
    instance: Name
    namespace: Name = "default"


class Inbound(_Part):
    """Where the mesh reaches the application, and where the application itself listens."""

    listen: HostPort
    app: HostPort
    protocol: Protocol = "http1"
    connect_timeout_ms: int = Field(default=1_000, gt=0)
    timeout_ms: int = Field(default=60_000, gt=0, description="Longest wait for the first response byte.")


class Outbound(_Part):
    """Where the application sends its calls: an HTTP proxy address that routes by authority."""

    listen: HostPort


class Endpoint(_Part):
    """One instance of a service, as other proxies reach it."""

    address: HostPort
    version: Label
    instance: Name


class Upstream(_Part):
    """A service this proxy may call."""

    name: Name
    authorities: tuple[str, ...] = Field(min_length=1, description="Lower-case host or host:port forms that mean it.")
    protocol: Protocol = "http1"
    connect_timeout_ms: int = Field(default=1_000, gt=0)
    timeout_ms: int = Field(default=15_000, gt=0, description="Longest wait for the first response byte.")
    connect_attempts: int = Field(default=3, ge=1, le=10, description="Endpoints tried while nothing was sent.")
    endpoints: tuple[Endpoint, ...] = ()


class Telemetry(_Part):
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


class Limits(_Part):
    """Bounds of one proxy."""

    connections: int = Field(default=10_000, gt=0)
    connections_per_client: int | None = Field(default=None, gt=0, description="Of one address; None: as many as all.")
    requests: int = Field(default=10_000, gt=0, description="In flight, shared equally between the workers.")
    streams: int = Field(default=256, gt=0, lt=1 << 31, description="Open at once on one HTTP/2 connection.")
    control_frames: int = Field(
        default=1_000,
        ge=10,
        le=1_000_000,
        description="HTTP/2 frames that carry no request on: a burst, earned in 10 s.",
    )
    header_bytes: int = Field(default=65_536, ge=8_192, le=16_777_216)
    headers: int = Field(default=100, ge=16, le=10_000, description="Header lines of one message.")
    uri_bytes: int = Field(default=16_384, ge=256, le=65_534)
    body_bytes: int | None = Field(default=None, ge=0, description="Of one request; None: without limit.")
    header_timeout_ms: int = Field(default=10_000, gt=0, description="First to last byte of a request's head.")
    body_timeout_ms: int = Field(default=30_000, gt=0, description="A period in which a request's body must advance.")
    body_progress_bytes: int = Field(default=1, ge=0, description="By how much it must, in each period.")
    response_body_timeout_ms: int = Field(default=300_000, gt=0, description="Longest silence within a response.")
    reader_timeout_ms: int = Field(default=60_000, gt=0, description="Longest time in which a caller takes no byte.")
    half_close_timeout_ms: int = Field(
        default=1_000, ge=0, description="How long a caller that has closed its side is still answered."
    )
    idle_timeout_ms: int = Field(default=60_000, gt=0, description="Between the requests of a connection.")
    tunnel_idle_timeout_ms: int = Field(default=3_600_000, gt=0, description="Silence of both sides after an upgrade.")
    pool_idle_per_endpoint: int = Field(default=64, ge=0)


class Snapshot(_Part):
    """Everything one proxy must do, as of one epoch."""

    epoch: int = Field(ge=1)
    node: Node
    inbound: Inbound | None = None
    outbound: Outbound | None = None
    services: tuple[Upstream, ...] = ()
    telemetry: Telemetry = Telemetry()
    limits: Limits = Limits()
