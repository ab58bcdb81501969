"""Bounds of one proxy."""

from __future__ import annotations

from proxy.control.documents import LimitsSpec
from proxy.snapshot import Limits


def limits(spec: LimitsSpec) -> Limits:
    """The limits of the mesh in the units of the engine."""
    return Limits(
        connections=spec.connections,
        connections_per_client=spec.connections_per_client,
        requests=spec.requests,
        streams=spec.streams,
        control_frames=spec.control_frames,
        header_bytes=spec.header_bytes,
        headers=spec.headers,
        uri_bytes=spec.uri_bytes,
        body_bytes=spec.body_bytes,
        header_timeout_ms=spec.header_timeout,
        body_timeout_ms=spec.body_timeout,
        body_progress_bytes=spec.body_progress,
        response_body_timeout_ms=spec.response_body_timeout,
        reader_timeout_ms=spec.reader_timeout,
        half_close_timeout_ms=spec.half_close_timeout,
        detect_timeout_ms=spec.detect_timeout,
        idle_timeout_ms=spec.idle_timeout,
        tunnel_idle_timeout_ms=spec.tunnel_idle_timeout,
    )
