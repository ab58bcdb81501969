"""The collector's configuration: a YAML file, overridden by flags, checked whole before anything starts.

In: a file and the flags. Out: one frozen `Config`. Never: a mistake without its path, or a default said twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import ByteSize, Field, StringConstraints, ValidationError, model_validator

from collector.attributes import Attributes
from collector.errors import ConfigRefused
from collector.keep.expiry import Kind
from collector.keep.matters import Matters
from collector.pairs import LONGEST_WAIT_S
from collector.part import Part
from collector.sample.terms import TailPart
from collector.store.settings import DoorsPart, StorePart
from collector.wal.policy import Fsync

HostPort = Annotated[str, StringConstraints(pattern=r"^(\[[0-9a-fA-F:.]+\]|[^\s:/\[\]]+):\d{1,5}$")]


class Listen(Part):
    """Addresses; port 0 takes a free one."""

    grpc: HostPort = Field(default="127.0.0.1:4317", description="OTLP/gRPC.")
    http: HostPort = Field(default="127.0.0.1:4318", description="OTLP/HTTP.")
    zipkin: HostPort | None = Field(default=None, description="Zipkin's JSON, usually on 9411; closed when not set.")
    clickhouse_native: HostPort = Field(default="127.0.0.1:9000", description="ClickHouse native protocol.")
    clickhouse_http: HostPort = Field(default="127.0.0.1:8123", description="ClickHouse HTTP.")
    metrics: HostPort = Field(default="127.0.0.1:8888", description="/metrics, /healthz, /readyz.")


class Requests(Part):
    """Bounds on what is received."""

    limit_bytes: int = Field(default=64 << 20, ge=1024, le=512 << 20, description="One body, decompressed.")
    under_way_bytes: int = Field(default=256 << 20, ge=1024, description="All bodies held at one time.")
    body_s: float = Field(default=60.0, ge=0.1, description="How long one body may take to come.")
    grpc_calls: int = Field(default=256, ge=1, le=65_536, description="gRPC calls under way at one time.")


class Write(Part):
    """How requests are gathered into inserts."""

    rows: int = Field(default=50_000, ge=1, le=1_000_000, description="Rows that make a group full.")
    bytes: int = Field(default=64 << 20, ge=1024, description="Bytes that make a group full.")
    wait_ms: int = Field(default=200, ge=0, le=60_000, description="How long a request waits for company.")
    queue_bytes: int = Field(default=256 << 20, ge=1024, description="What may wait in memory too, not on disk alone.")
    stop_ms: int = Field(default=8_000, ge=100, description="How long a stop waits for inserts.")


class Wal(Part):
    """The write-ahead log: where it is, what it promises, how large it may grow."""

    folder: Path | None = Field(default=None, description="Its directory; `wal` below `data` when not set.")
    fsync: Fsync = Field(default="always", description="Before each answer, at an interval, or left to the kernel.")
    interval_ms: int = Field(default=1_000, ge=10, le=60_000, description="The interval of `fsync: interval`.")
    limit_bytes: int = Field(default=1 << 30, ge=1 << 20, description="What it may hold; beyond it 503.")
    segment_bytes: int = Field(default=64 << 20, ge=1 << 16, description="Size of one file of it.")
    batches: int = Field(default=50_000, ge=0, le=1_000_000, description="Batches remembered, to know repeated ones.")


class Days(Part):
    """Days that are kept, today included."""

    spans: int | None = Field(default=None, ge=1, description="Spans.")
    metrics: int | None = Field(default=None, ge=1, description="Points of metrics.")
    logs: int | None = Field(default=None, ge=1, description="Log records.")
    rollups: int | None = Field(default=None, ge=1, description="mesh_edges and mesh_routes.")

    def by_kind(self) -> dict[Kind, int]:
        """Only those that are set."""
        all_kinds: dict[Kind, int | None] = {
            "spans": self.spans,
            "metrics": self.metrics,
            "logs": self.logs,
            "rollups": self.rollups,
        }
        return {kind: days for kind, days in all_kinds.items() if days is not None}


class Keep(Part):
    """How long rows are kept; for ever where nothing is set."""

    days: Days = Days()
    matters: Matters | None = Field(default=None, description="Thin old days to what matters; nothing when not set.")
    disk: ByteSize | None = Field(default=None, ge=1 << 20, description="Bytes for all tables, such as 20 GB.")


class TlsFiles(Part):
    """PEM files of the doors that take telemetry; read anew when they change."""

    certificate: Path = Field(description="Certificate, with those between it and its authority.")
    key: Path = Field(description="Its private key.")
    client_ca: Path | None = Field(default=None, description="Authorities that senders' certificates must be from.")


class TenantPart(Part):
    """Who may send; one of token and identities is needed."""

    name: str = Field(min_length=1, description="As it is counted.")
    token_file: Path | None = Field(default=None, description="Holds the bearer token.")
    identities: tuple[str, ...] = Field(default=(), description="SPIFFE ids of certificates; * stands for anything.")
    bytes_per_s: int | None = Field(default=None, ge=1, description="What it may send, as sent; no bound when not set.")

    @model_validator(mode="after")
    def _can_be_known(self) -> Self:
        if self.token_file is None and not self.identities:
            raise ValueError("give token_file or identities, or nobody is this tenant")
        return self


class Config(Part):
    """Everything that can be set."""

    data: Path = Field(description="Directory of the embedded ClickHouse and of the log; created when missing.")
    listen: Listen = Listen()
    requests: Requests = Requests()
    write: Write = Write()
    wal: Wal = Wal()
    keep: Keep = Keep()
    attributes: Attributes = Attributes()
    tail: TailPart | None = Field(default=None, description="Store only spans of traces that matter; all when not set.")
    store: StorePart = StorePart()
    doors: DoorsPart = DoorsPart()
    tls: TlsFiles | None = Field(default=None, description="TLS of the doors that take telemetry; plain when not set.")
    tenants: tuple[TenantPart, ...] = Field(default=(), description="Who may send; anyone when empty.")
    pair_s: int = Field(
        default=600,
        ge=0,
        le=LONGEST_WAIT_S,
        description="How long a span without mesh.* waits for its caller; 0: off.",
    )
    canary_s: float = Field(default=15.0, ge=0, description="How often a known trace is written and read; 0: never.")
    own_spans: bool = Field(default=True, description="Report own inserts as spans of whymesh.collector.")


def load(path: Path | None, flags: Mapping[str, Any]) -> Config:
    """The file with the flags laid over it; flags are paths such as `listen.grpc`, None is not set.

    Raises ConfigRefused with one line a mistake.
    """
    document = _read(path) if path else {}
    for name, value in flags.items():
        if value is not None:
            _lay(document, name.split("."), value)
    try:
        return Config.model_validate(document)
    except ValidationError as error:
        source = str(path) if path else "flags"
        raise ConfigRefused("\n".join(f"{source}: {_mistake(part)}" for part in error.errors())) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ConfigRefused(f"{path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigRefused(f"{path}: not YAML: {error}") from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise ConfigRefused(f"{path}: expected a mapping such as `listen: ...`, found {type(document).__name__}")
    return document


def _lay(document: dict[str, Any], parts: list[str], value: Any) -> None:
    for part in parts[:-1]:
        inner = document.setdefault(part, {})
        if not isinstance(inner, dict):
            return  # the mistake is in the file, and is told with its path when it is checked
        document = inner
    document[parts[-1]] = value


def _mistake(part: Any) -> str:
    where = ".".join(str(step) for step in part["loc"])
    if part["type"] == "missing":
        return f"{where}: missing"
    if part["type"] == "string_pattern_mismatch":
        return f"{where}: expected host:port, found {part['input']!r}"
    if part["type"] == "extra_forbidden":
        return f"{where}: there is no such setting"
    if where == "store.url":  # it may hold a password
        return f"{where}: {part['msg']}"
    return f"{where}: {part['msg']}, found {part['input']!r}"
