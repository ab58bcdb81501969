"""A recorded suite in the published layout, made from simulated traffic."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as arrow
import zstandard
from pyarrow import parquet

from rootcause.load import recorded_spans
from rootcause.load.spans import Kind, Span
from tests.world.mesh_sim import Fault, Proxied, Shop, otlp

START = 1_690_000_000.0
NORMAL_S, INCIDENT_S = 60.0, 40.0


def write_suite(folder: Path, incidents: dict[str, tuple[Fault, ...]]) -> Path:
    """One normal recording, and a case for each incident an hour later."""
    (folder / "baseline").mkdir(parents=True)
    _write_spans(folder / "baseline" / "w1.spans.otlp.zst", Shop(31, rate=12).run(START, NORMAL_S))
    for index, (name, faults) in enumerate(incidents.items(), 1):
        start = START + 3600 * index
        (folder / name).mkdir()
        _write_spans(folder / name / "spans.otlp.zst", Shop(40 + index, rate=12, faults=faults).run(start, INCIDENT_S))
        case = {
            "id": name,
            "suite": folder.name,
            "fault_start": _utc(start),
            "fault_end": _utc(start + INCIDENT_S),
            "alert_time": None,
            "baseline": [[_utc(START), _utc(START + NORMAL_S)]],
            "baseline_files": ["baseline/w1.spans.otlp.zst"],
            "target": None,
            "inputs": ["spans"],
        }
        (folder / name / "case.json").write_text(json.dumps(case))
    return folder


def add_lines(folder: Path, name: str, says: Callable[[Span, bool], Iterable[tuple[str, str]]]) -> None:
    """Gives a case log lines, of normal time too: the severity and text of those that a request's span `says`, normally
    or in the incident."""
    _write_lines(folder / "baseline" / "w1", lambda span: says(span, True))
    _write_lines(folder / name, lambda span: says(span, False))
    file = folder / name / "case.json"
    case = json.loads(file.read_text())
    case["baseline_files"].append("baseline/w1.logs.parquet")
    file.write_text(json.dumps(case))


def _write_lines(where: Path, says: Callable[[Span], Iterable[tuple[str, str]]]) -> None:
    rows = [
        {
            "time": datetime.fromtimestamp(span.start_ns // 10**6 / 1000, UTC),
            "service": span.service,
            "instance": span.instance,
            "severity": severity,
            "span_id": span.id,
            "body": body,
        }
        for span in recorded_spans.spans(_of(where, "spans.otlp.zst"))
        if span.kind is Kind.SERVER
        for severity, body in says(span)
    ]
    parquet.write_table(arrow.Table.from_pylist(rows), _of(where, "logs.parquet"))


def _of(where: Path, kind: str) -> Path:
    return where / kind if where.is_dir() else where.with_name(f"{where.name}.{kind}")


def _write_spans(path: Path, spans: list[Proxied]) -> None:
    """Plain OpenTelemetry: what the mesh adds is left out, as in recordings of other systems."""
    bare = [Proxied(one.span) for one in sorted(spans, key=lambda one: one.span.start_ns)]
    bodies = [request.SerializeToString() for request in otlp(bare, batch=2000)]
    path.write_bytes(zstandard.compress(b"".join(varint(len(body)) + body for body in bodies)))


def varint(value: int) -> bytes:
    groups = bytearray()
    while value > 127:
        groups.append(value & 127 | 128)
        value >>= 7
    return bytes([*groups, value])


def _utc(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).isoformat()
