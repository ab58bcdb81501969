"""Where records go."""

from __future__ import annotations

from proxy.control.documents.access_log import AccessLogSpec
from proxy.control.documents.telemetry import TelemetrySpec
from proxy.snapshot import Mode, Telemetry
from proxy.snapshot.access_log import AccessLog

_MEMORY: dict[Mode, int] = {"all": 1 << 20, "recorder": 16 << 20}
"""For the last records: in mode `all` they are only looked at."""


def telemetry(spec: TelemetrySpec) -> Telemetry:
    """The settings of a proxy in the units of the engine; no endpoint when switched off."""
    return Telemetry(
        endpoint=spec.address if spec.enabled else "",
        protocol=spec.protocol,
        compression=spec.compression,
        batch_records=spec.batch.records,
        batch_bytes=spec.batch.size,
        flush_ms=spec.flush,
        spool_bytes=spec.spool.quota,
        budget_bytes=spec.budget,
        mode=spec.mode,
        ring_bytes=_MEMORY[spec.mode] if spec.recorder.memory is None else spec.recorder.memory,
        slow_ms=spec.recorder.slow if isinstance(spec.recorder.slow, int) else 0,
        slow_adaptive=spec.recorder.slow == "p99",
        b3=spec.b3,
        request_id=None if spec.request_id == "none" else spec.request_id,
        log=_log(spec.access_log),
    )


def _log(spec: AccessLogSpec) -> AccessLog:
    return AccessLog(
        stdout="stdout" in spec.to,
        otlp="otlp" in spec.to,
        file=spec.file,
        errors="errors" in spec.only,
        slow_ms=spec.slow if "slow" in spec.only else 0,
    )
