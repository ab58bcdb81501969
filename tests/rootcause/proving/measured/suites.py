"""Writes generated recordings as suites in the published layout, of several makes.

In: a make, a world, what is wrong. Out: a case folder with its baseline files; no spans.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.rootcause.proving.measured.lived import Line, Lived, live
from tests.rootcause.proving.measured.meters import Row, columns, containers, counters, minutes
from tests.rootcause.proving.measured.trouble import NOTHING, Trouble, faults, quiet
from tests.rootcause.proving.measured.world import World, world

START = 1_690_000_020.0
MOST_LINES = 20_000


@dataclass(frozen=True)
class Make:
    """How a suite was recorded: `apart_s` lie between normal time and the incident."""

    measure: Callable[[World, Lived, Trouble, str], list[Row]]
    normal_s: int
    incident_s: int
    apart_s: int = 0
    logs: bool = True
    spans_named: bool = False
    severity: bool = True
    graph: bool = False


MAKES = {
    "columns": Make(columns, 600, 600, logs=False),
    "minutes": Make(minutes, 300, 180, apart_s=3600),
    "counters": Make(counters, 600, 240, severity=False),
    "graph": Make(counters, 300, 180, apart_s=600, logs=False, graph=True),
    "containers": Make(containers, 900, 300, spans_named=True),
}


def troubles(seed: int) -> Iterator[tuple[World, Trouble]]:
    """Every kind of fault once, and the times without one, in the world of this seed."""
    made, dice = world(seed), random.Random(f"troubles {seed}")
    for trouble in (*faults(made, dice), *quiet(dice)):
        yield made, trouble


def write(suite: Path, make: Make, made: World, wrong: Trouble, id: str) -> Path:
    """One case."""
    normally = live(made, NOTHING, START, make.normal_s, f"{id} normal")
    begins = START + make.normal_s + make.apart_s
    incident = live(made, wrong, begins, make.incident_s, f"{id} incident")
    case = suite / id
    case.mkdir(parents=True)
    (suite / "baseline").mkdir(exist_ok=True)
    files = {}
    for where, lived, trouble in ((suite / "baseline" / f"{id}.", normally, NOTHING), (f"{case}/", incident, wrong)):
        files[f"{where}metrics.parquet"] = make.measure(made, lived, trouble, f"{id} {lived.start}")
        if make.logs:
            files[f"{where}logs.parquet"] = [_line(line, make) for line in lived.lines]
    for path, rows in files.items():
        pq.write_table(pa.Table.from_pylist(rows), path)
    if make.graph:
        edges = [f"{one.name},{callee}" for one in made.services.values() for callee, _ in one.calls]
        (suite / "graph.csv").write_text("\n".join(["source,destination", *edges, ""]))
    described = {
        "id": id,
        "suite": suite.name,
        "fault_start": _utc(begins),
        "fault_end": _utc(begins + make.incident_s),
        "alert_time": None,
        "baseline": [[_utc(START), _utc(START + make.normal_s)]],
        "baseline_files": [str(Path(path).relative_to(suite)) for path in files if "baseline" in path],
        "target": None,
        "inputs": ["metrics", "logs"] if make.logs else ["metrics"],
    }
    (case / "case.json").write_text(json.dumps(described))
    return case


def _line(line: Line, make: Make) -> Row:
    body = line.body if make.severity else f"{line.severity} [{line.service}] {line.body}"
    return {
        "time": datetime.fromtimestamp(line.time, UTC),
        "service": line.service,
        "severity": line.severity if make.severity else None,
        "span_id": f"{line.span:016x}" if make.spans_named and line.span else None,
        "body": body,
    }


def _utc(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).isoformat()
