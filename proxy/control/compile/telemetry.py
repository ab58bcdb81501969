"""Where records go."""

from __future__ import annotations

from proxy.control.documents import TelemetrySpec
from proxy.snapshot import Telemetry


def telemetry(spec: TelemetrySpec) -> Telemetry:
    """The telemetry settings of the mesh in the units of the engine; no endpoint when switched off."""
    return Telemetry(
        endpoint=spec.address if spec.enabled else "",
        protocol=spec.protocol,
        compression=spec.compression,
        batch_records=spec.batch.records,
        batch_bytes=spec.batch.size,
        flush_ms=spec.flush,
        spool_bytes=spec.spool.quota,
        budget_bytes=spec.budget,
    )
