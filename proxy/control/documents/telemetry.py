"""`Mesh.spec.telemetry`: where the proxies send their records, how, and how much."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AnyUrl, Field, UrlConstraints

from proxy.control.documents.base import Spec
from proxy.control.documents.spelling import Milliseconds, Size, WrittenAsSize
from proxy.snapshot import BudgetBytes, Compression, ExportProtocol, Mode, RingBytes, SpoolBytes


class PlainUrl(AnyUrl):
    """A URL the engine can post to; it speaks no TLS to the collector."""

    _constraints = UrlConstraints(allowed_schemes=["http"])


_COLLECTOR = {"http": "http://127.0.0.1:4318/v1/traces", "grpc": "http://127.0.0.1:4317/"}


class BatchSpec(Spec):
    """How much goes into one export at most."""

    records: int = Field(default=4_096, ge=1, le=65_536)
    size: Size = Field(
        default=4_000_000,
        ge=10_000,
        le=60_000_000,
        description="Before compression; many OTLP/gRPC servers take no more than 4 MiB.",
    )


class SpoolSpec(Spec):
    """Disk that each proxy may use while the collector is away."""

    quota: Annotated[SpoolBytes, WrittenAsSize] = Field(default=256 << 20, description="0: wait in memory only.")


class RecorderSpec(Spec):
    """How long records are kept, and which requests are slow, in mode `recorder`."""

    memory: Annotated[RingBytes, WrittenAsSize] | None = Field(
        default=None, description="Of each proxy, for its last records; 0: none."
    )
    slow: Milliseconds | Literal["p99", "off"] = Field(
        default=1_000, description="p99: longer than 99 of 100 requests of the same route."
    )


class TelemetrySpec(Spec):
    """Where the proxies send their records, how, how often, and how much."""

    endpoint: PlainUrl | None = None
    protocol: ExportProtocol = "http"
    compression: Compression = "none"
    flush: Milliseconds = 500
    batch: BatchSpec = BatchSpec()
    spool: SpoolSpec = SpoolSpec()
    budget: Annotated[BudgetBytes, WrittenAsSize] = Field(default=0, description="A minute, as sent; 0 is no limit.")
    mode: Mode = "all"
    recorder: RecorderSpec = RecorderSpec()
    enabled: bool = True

    @property
    def address(self) -> str:
        """Where spans go: the endpoint, by default our collector's port for the protocol."""
        return str(self.endpoint or _COLLECTOR[self.protocol])
