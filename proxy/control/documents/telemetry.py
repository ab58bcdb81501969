"""`Mesh.spec.telemetry`: where the proxies send their records, how, and how much; and the kind `Telemetry`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AnyUrl, Field, UrlConstraints

from proxy.control.documents.access_log import AccessLogSpec
from proxy.control.documents.base import OwnDocument, Spec
from proxy.control.documents.route_parts import AnyTarget, HeaderName
from proxy.control.documents.spelling import Milliseconds, Size, WrittenAsSize
from proxy.snapshot import B3, BudgetBytes, Compression, ExportProtocol, Mode, RingBytes, SpoolBytes


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


class RecordingSpec(Spec):
    """What becomes of records."""

    budget: Annotated[BudgetBytes, WrittenAsSize] = Field(default=0, description="A minute, as sent; 0 is no limit.")
    mode: Mode = "all"
    recorder: RecorderSpec = RecorderSpec()
    enabled: bool = True
    access_log: AccessLogSpec = Field(default=AccessLogSpec(), alias="accessLog")


class TelemetrySpec(RecordingSpec):
    """Where the proxies send their records, how, how often, and how much."""

    endpoint: PlainUrl | None = None
    protocol: ExportProtocol = "http"
    compression: Compression = "none"
    flush: Milliseconds = 500
    batch: BatchSpec = BatchSpec()
    spool: SpoolSpec = SpoolSpec()
    b3: B3 = "none"
    request_id: HeaderName | Literal["none"] = Field(default="x-request-id", alias="requestId")

    @property
    def address(self) -> str:
        """Where spans go: the endpoint, by default our collector's port for the protocol."""
        return str(self.endpoint or _COLLECTOR[self.protocol])


class ServiceTelemetrySpec(RecordingSpec):
    """What is different for the proxies of one Service, or for a Gateway; what is not given is as the Mesh has it."""

    target_ref: AnyTarget = Field(alias="targetRef")

    def on(self, mesh: TelemetrySpec) -> TelemetrySpec:
        """The settings of the mesh with those of this Service in their place."""
        given = {name: getattr(self, name) for name in self.model_fields_set - {"target_ref", "recorder"}}
        recorder = self.recorder.model_dump(exclude_unset=True)
        return mesh.model_copy(update={**given, "recorder": mesh.recorder.model_copy(update=recorder)})


class Telemetry(OwnDocument):
    """One a Service or Gateway at most."""

    kind: Literal["Telemetry"]
    spec: ServiceTelemetrySpec

    @property
    def concerns(self) -> str:
        """The Service whose proxies it is for, or the Gateway."""
        return self.spec.target_ref.full_name(self)
