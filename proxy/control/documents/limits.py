"""`Mesh.spec.limits`: what clients of a proxy may do."""

from __future__ import annotations

from pydantic import Field

from proxy.control.documents.base import Spec
from proxy.control.documents.spelling import Milliseconds, Size


class LimitsSpec(Spec):
    """What clients of a proxy may do; the same for every proxy of the mesh."""

    connections: int = Field(default=10_000, gt=0)
    connections_per_client: int | None = Field(default=None, gt=0, alias="connectionsPerClient")
    requests: int = Field(default=10_000, gt=0)
    streams: int = Field(default=256, gt=0, lt=1 << 31)
    control_frames: int = Field(default=1_000, ge=10, le=1_000_000, alias="controlFrames")
    header_bytes: Size = Field(default=65_536, ge=8_192, le=16_777_216, alias="headerBytes")
    headers: int = Field(default=100, ge=16, le=10_000)
    uri_bytes: Size = Field(default=16_384, ge=256, le=65_534, alias="uriBytes")
    body_bytes: Size | None = Field(default=None, alias="bodyBytes")
    header_timeout: Milliseconds = Field(default=10_000, alias="headerTimeout")
    body_timeout: Milliseconds = Field(default=30_000, alias="bodyTimeout")
    body_progress: Size = Field(default=1, alias="bodyProgress")
    response_body_timeout: Milliseconds = Field(default=300_000, alias="responseBodyTimeout")
    reader_timeout: Milliseconds = Field(default=60_000, alias="readerTimeout")
    half_close_timeout: Milliseconds = Field(default=1_000, alias="halfCloseTimeout")
    detect_timeout: Milliseconds = Field(default=300, alias="detectTimeout")
    idle_timeout: Milliseconds = Field(default=60_000, alias="idleTimeout")
    tunnel_idle_timeout: Milliseconds = Field(default=3_600_000, alias="tunnelIdleTimeout")
