"""The mesh configuration as its users write it: one model a kind, `kubectl`-shaped, nothing unknown accepted.

In: one YAML document as a mapping. Out: a frozen model. Never: a default that hides a mistake.
The JSON Schema of each kind is `KINDS[kind].model_json_schema()`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AnyHttpUrl, AnyUrl, BaseModel, BeforeValidator, ConfigDict, Field, UrlConstraints

from proxy.snapshot import BudgetBytes, Compression, ExportProtocol, Label, Name, Protocol, SpoolBytes

API_VERSION = "whymesh.io/v1alpha1"
_DURATION = re.compile(r"^(\d+(?:\.\d+)?)(ms|s|m|h)$")
_UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}
_SIZE = re.compile(r"^(\d{1,12})(KiB|MiB|GiB)$")
_UNIT_BYTES = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_LONGEST_MS = 24 * 3_600_000


def _milliseconds(value: Any) -> Any:
    """Reads a duration as the Gateway API writes it ("250ms", "1.5s") into whole milliseconds."""
    if not isinstance(value, str) or (match := _DURATION.match(value)) is None:
        raise ValueError("expected a duration such as 300ms, 15s or 2m")
    milliseconds = round(float(match[1]) * _UNIT_MS[match[2]])
    if not 0 < milliseconds <= _LONGEST_MS:
        raise ValueError("expected a duration between 1ms and 24h")
    return milliseconds


def _bytes(value: Any) -> Any:
    """Reads a size: a number of bytes, or one with a binary unit ("64KiB", "10MiB")."""
    if isinstance(value, str) and (match := _SIZE.match(value)):
        return int(match[1]) * _UNIT_BYTES[match[2]]
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("expected a number of bytes, or a size such as 64KiB or 10MiB")
    return value


def _address(value: str) -> str:
    host, separator, port = value.rpartition(":")
    if not separator or not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise ValueError("expected host:port with a port between 1 and 65535, such as 127.0.0.1:8080 or [::1]:8080")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise ValueError("an IPv6 address needs brackets, such as [::1]:8080")
    return value


WrittenAsSize = BeforeValidator(_bytes, json_schema_input_type=int | str)
Size = Annotated[int, WrittenAsSize]
Milliseconds = Annotated[int, BeforeValidator(_milliseconds, json_schema_input_type=str)]
Address = Annotated[str, AfterValidator(_address)]


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Metadata(_Spec):
    name: Name
    namespace: Name = "default"


class _Document(_Spec):
    api_version: Literal["whymesh.io/v1alpha1"] = Field(alias="apiVersion")
    metadata: Metadata


class PlainUrl(AnyUrl):
    """A URL the engine can post to; it speaks no TLS to the collector."""

    _constraints = UrlConstraints(allowed_schemes=["http"])


_COLLECTOR = {"http": "http://127.0.0.1:4318/v1/traces", "grpc": "http://127.0.0.1:4317/"}


class BatchSpec(_Spec):
    """How much goes into one export at most."""

    records: int = Field(default=4_096, ge=1, le=65_536)
    size: Size = Field(
        default=4_000_000,
        ge=10_000,
        le=60_000_000,
        description="Before compression; many OTLP/gRPC servers take no more than 4 MiB.",
    )


class SpoolSpec(_Spec):
    """Disk that each proxy may use while the collector is away."""

    quota: Annotated[SpoolBytes, WrittenAsSize] = Field(default=256 << 20, description="0: wait in memory only.")


class TelemetrySpec(_Spec):
    """Where the proxies send their records, how, how often, and how much."""

    endpoint: PlainUrl | None = None
    protocol: ExportProtocol = "http"
    compression: Compression = "none"
    flush: Milliseconds = 500
    batch: BatchSpec = BatchSpec()
    spool: SpoolSpec = SpoolSpec()
    budget: Annotated[BudgetBytes, WrittenAsSize] = Field(default=0, description="A minute, as sent; 0 is no limit.")
    enabled: bool = True

    @property
    def address(self) -> str:
        """Where spans go: the endpoint, by default our collector's port for the protocol."""
        return str(self.endpoint or _COLLECTOR[self.protocol])


class LimitsSpec(_Spec):
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
    idle_timeout: Milliseconds = Field(default=60_000, alias="idleTimeout")
    tunnel_idle_timeout: Milliseconds = Field(default=3_600_000, alias="tunnelIdleTimeout")


class AlertsSpec(_Spec):
    """Who hears of an incident."""

    webhooks: tuple[AnyHttpUrl, ...] = ()


class MeshSpec(_Spec):
    telemetry: TelemetrySpec = TelemetrySpec()
    alerts: AlertsSpec = AlertsSpec()
    limits: LimitsSpec = LimitsSpec()


class Mesh(_Document):
    """What holds for the whole mesh; at most one, all defaults without it."""

    kind: Literal["Mesh"]
    spec: MeshSpec = MeshSpec()


class SidecarSpec(_Spec):
    """Addresses of the proxy beside one instance."""

    inbound: Address
    outbound: Address
    admin: Address


class RunSpec(_Spec):
    """How `whymesh up` starts the application; other ways of starting it need none of this."""

    command: tuple[str, ...] = Field(min_length=1)
    env: dict[str, str] = {}
    directory: Path | None = None


class EndpointSpec(_Spec):
    """One instance of a service."""

    instance: Name
    version: Label = "v1"
    app: Address
    address: Address | None = Field(default=None, description="How other proxies reach it, when not directly.")
    sidecar: SidecarSpec | None = None
    run: RunSpec | None = None

    @property
    def reachable_at(self) -> str:
        """The address the other proxies connect to."""
        return self.address or (self.sidecar.inbound if self.sidecar else self.app)


class ServiceSpec(_Spec):
    protocol: Protocol = "http1"
    port: int = Field(default=80, gt=0, lt=65_536)
    timeout: Milliseconds = 15_000
    connect_timeout: Milliseconds = Field(default=1_000, alias="connectTimeout")
    endpoints: tuple[EndpointSpec, ...] = ()


class Service(_Document):
    """A service of the mesh and the instances that serve it."""

    kind: Literal["Service"]
    spec: ServiceSpec = ServiceSpec()

    @property
    def full_name(self) -> str:
        """The name it has in the mesh: bare in the default namespace, `name.namespace` elsewhere."""
        namespace = self.metadata.namespace
        return self.metadata.name if namespace == "default" else f"{self.metadata.name}.{namespace}"

    @property
    def authorities(self) -> tuple[str, ...]:
        """What callers may write for it: with and without namespace; the bare host only where the port is 80."""
        name, namespace, port = self.metadata.name, self.metadata.namespace, self.spec.port
        hosts = [f"{name}.{namespace}", f"{name}.{namespace}.mesh"]
        if namespace == "default":
            hosts.insert(0, name)
        with_port = tuple(f"{host}:{port}" for host in hosts)
        return (*hosts, *with_port) if port == 80 else with_port


KINDS: dict[str, type[Mesh] | type[Service]] = {"Mesh": Mesh, "Service": Service}
