"""Bounds of one proxy."""

from __future__ import annotations

from pydantic import Field

from proxy.snapshot.parts import Part


class Limits(Part):
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
    detect_timeout_ms: int = Field(
        default=300, gt=0, description="For the first bytes of a connection of unknown protocol."
    )
    idle_timeout_ms: int = Field(default=60_000, gt=0, description="Between the requests of a connection.")
    tunnel_idle_timeout_ms: int = Field(default=3_600_000, gt=0, description="Silence of both sides after an upgrade.")
    pool_idle_per_endpoint: int = Field(default=64, ge=0)
