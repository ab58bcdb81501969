"""Reads recorded incidents: a folder a case, as published suites are laid out.

In: a case folder with case.json, and the suite's baseline files it names. Out: intervals, OTLP messages.
Times are UTC. Baseline rows inside the case's own incident are dropped, so that a quiet case is not its own normal.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from math import inf
from pathlib import Path
from typing import Any, BinaryIO

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pydantic import AwareDatetime, BaseModel, ConfigDict, TypeAdapter, ValidationError

from rootcause.load.amounts import resource_of
from rootcause.load.log_patterns import Log
from rootcause.load.spans import Span, from_otlp
from rootcause.load.usage import Sample
from rootcause.load.window import Interval

SPANS = "spans.otlp.zst"
EDGES = "edges.parquet"
LOGS = "logs.parquet"
METRICS = "metrics.parquet"
CHANGES = "changes.json"
_SHARE = re.compile(r"(?:\w+_)?(cpu|mem)(?:ory)?(?:_\w+)?_(percent|ratio|utilization)")
"""Metrics that say how full something is, by the suffixes of OpenTelemetry and Prometheus."""
_OF_THE_HOST = ("node_", "host_", "machine_")
"""What runs beside a service fills its host as well."""
_LOOKS_BACK_S = 60.0
MAX_MESSAGE = 64 << 20


class CaseRefused(ValueError):
    """A folder is not a case, or a file of it cannot be read; the message names the file."""


class Target(BaseModel):
    """The node that raised the alert."""

    service: str
    signal: str


class Rollout(BaseModel):
    """One entry of changes.json."""

    time: AwareDatetime
    service: str


_ROLLOUTS = TypeAdapter(tuple[Rollout, ...])


class CaseFile(BaseModel):
    """case.json. What it holds beyond this is not needed."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    suite: str
    fault_start: datetime
    fault_end: datetime
    baseline: tuple[tuple[datetime, datetime], ...]
    baseline_files: tuple[str, ...]
    coverage: tuple[tuple[datetime, datetime], ...] = ()
    target: Target | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One recorded incident."""

    folder: Path
    file: CaseFile

    @property
    def incident(self) -> tuple[Interval, ...]:
        """The parts of the incident that have data."""
        parts = self.file.coverage or ((self.file.fault_start, self.file.fault_end),)
        return tuple(Interval(start.timestamp(), end.timestamp()) for start, end in parts)

    @property
    def metered(self) -> tuple[Interval, ...]:
        """When metrics tell of the incident: a sample looks back over the minute before it."""
        last = self.file.fault_end.timestamp() + _LOOKS_BACK_S
        return (Interval(self.file.fault_start.timestamp() + _LOOKS_BACK_S / 2, last),)

    @property
    def normally_metered(self) -> tuple[Interval, ...]:
        """When metrics tell of normal time: baseline files of metrics hold all of it, the incident's own apart."""
        own = self.metered[0]
        return Interval(-inf, self.file.fault_start.timestamp()), Interval(own.end, inf)

    @property
    def baseline(self) -> tuple[Interval, ...]:
        """Normal time, without the incident's own."""
        own = Interval(self.file.fault_start.timestamp(), self.file.fault_end.timestamp())
        pieces = []
        for start, end in self.file.baseline:
            first, last = start.timestamp(), end.timestamp()
            pieces += [Interval(first, min(last, own.start)), Interval(max(first, own.end), last)]
        return tuple(piece for piece in pieces if piece.seconds > 0)

    def changed(self, look_back_s: float) -> frozenset[str]:
        """Services that were rolled out so shortly before the fault, or while it went on. Raises CaseRefused."""
        path = self.folder / CHANGES
        if not path.exists():
            return frozenset()
        since, until = self.file.fault_start - timedelta(seconds=look_back_s), self.file.fault_end
        try:
            rollouts = _ROLLOUTS.validate_json(path.read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            raise CaseRefused(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
        return frozenset(rollout.service for rollout in rollouts if since <= rollout.time <= until)

    def has(self, suffix: str) -> bool:
        """Whether both the incident and normal time have a file of this kind."""
        return (self.folder / suffix).exists() and bool(self.baseline_files(suffix))

    def baseline_files(self, suffix: str) -> list[Path]:
        """Baseline files of one kind."""
        return [self.folder.parent / name for name in self.file.baseline_files if name.endswith(suffix)]


def read_case(folder: Path) -> Case:
    """Raises CaseRefused."""
    path = folder / "case.json"
    try:
        return Case(folder, CaseFile.model_validate_json(path.read_text()))
    except OSError as error:
        raise CaseRefused(f"{path}: {error.strerror}; a case is a folder with a case.json") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise CaseRefused(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def cases_of(suite: Path) -> list[Case]:
    """All cases of a suite, by name. Raises CaseRefused when there are none."""
    folders = sorted(path.parent for path in suite.glob("*/case.json"))
    if not folders:
        raise CaseRefused(f"{suite}: no folder in it has a case.json")
    return [read_case(folder) for folder in folders]


def messages(path: Path) -> Iterator[bytes]:
    """The ExportTraceServiceRequest messages of a zstd file, each after its length as a varint. Raises CaseRefused."""
    import zstandard  # noqa: PLC0415 (only recorded incidents need it)

    try:
        with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as stream:
            while (length := _varint(stream)) is not None:
                body = stream.read(length)
                if len(body) != length or length > MAX_MESSAGE:
                    raise CaseRefused(f"{path}: cut off, or not length-delimited OTLP")
                yield body
    except (OSError, zstandard.ZstdError) as error:
        raise CaseRefused(f"{path}: {error}") from None


def spans(path: Path) -> Iterator[Span]:
    """The spans of a recorded file. Raises CaseRefused."""
    for body in messages(path):
        try:
            request = ExportTraceServiceRequest.FromString(body)
        except DecodeError as error:
            raise CaseRefused(f"{path}: {error}; its messages are to be OTLP ExportTraceServiceRequests") from None
        yield from from_otlp(request)


@cache
def logs(path: Path) -> tuple[Log, ...]:
    """The log lines of a recorded file; none when there is no such file. Raises CaseRefused."""
    return tuple(
        Log(row["time"].timestamp(), row["service"], row["severity"], row["span_id"] or "", row["body"])
        for row in rows(path)
    )


@cache
def samples(path: Path) -> tuple[Sample, ...]:
    """The metric samples of a recorded file that tell how full something is; none when there is no such file.

    Raises CaseRefused.
    """
    return tuple(
        Sample(row["time"].timestamp(), row["service"], row["instance"] or "", scale[0], row["value"] / scale[1])
        for row in rows(path)
        if (scale := share_of(row["name"])) is not None and row["value"] is not None
    )


@cache
def amounts(path: Path) -> tuple[Sample, ...]:
    """The metric samples of a recorded file that tell how much something uses up; none when there is no such file.

    Raises CaseRefused.
    """
    return tuple(
        Sample(row["time"].timestamp(), row["service"], row["instance"] or "", row["name"], row["value"])
        for row in rows(path)
        if share_of(row["name"]) is None and resource_of(row["name"]) and row["value"] is not None
    )


@cache
def share_of(metric: str) -> tuple[str, float] | None:
    """What a metric tells the fullness of (`cpu`, `memory`), and its value when that is full; None of any other."""
    found = _SHARE.fullmatch(metric.replace(".", "_"))
    if found is None or metric.startswith(_OF_THE_HOST):
        return None
    return {"cpu": "cpu", "mem": "memory"}[found[1]], 100.0 if found[2] == "percent" else 1.0


def rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a recorded table; none when there is no such file. Raises CaseRefused."""
    import pyarrow as arrow  # noqa: PLC0415 (only recorded incidents need it)
    from pyarrow import parquet  # noqa: PLC0415

    if not path.exists():
        return []
    try:
        found: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    except (OSError, arrow.ArrowException) as error:
        raise CaseRefused(f"{path}: {error}") from None
    return found


def _varint(stream: BinaryIO) -> int | None:
    """A base-128 number, least significant group first; None at the end. Source: Protocol Buffers encoding."""
    value = shift = 0
    while True:
        byte = stream.read(1)
        if not byte:
            return None
        value |= (byte[0] & 127) << shift
        if byte[0] < 128:
            return value
        shift += 7
