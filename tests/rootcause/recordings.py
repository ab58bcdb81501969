"""Small recorded suites of any mix of files: spans, edges, metrics and logs of a shop of another make.

In: what each time holds. Out: a suite folder with one case, normal time being ten minutes and the incident three, an
hour later. Metrics and logs are made here; services, their calls and their work are those of `systems`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rootcause.evaluate import rank_suite
from rootcause.load.window import Interval
from tests.rootcause.systems import CALLS, OWN_MS

NORMAL = Interval(1_690_000_000.0, 1_690_000_600.0)
INCIDENT = Interval(NORMAL.start + 3600, NORMAL.start + 3780)
SERVICES = (*CALLS, "paymentservice", "emailservice", "currencyservice", "adservice")
STEP_S = 15

Row = dict[str, Any]
Files = Mapping[str, object]


@dataclass(frozen=True)
class Wrong:
    """What is wrong in the incident: `metric` of the service is so many `times` what it is (of one, where it is
    nothing), its own time so many ms more (`slow_ms`)."""

    service: str = ""
    metric: str = ""
    times: float = 1.0
    slow_ms: float = 0.0


@dataclass
class Meters:
    """Metrics of every service. `bare` names are those of tables made by hand, else those of cAdvisor and Istio, where
    what is counted only grows."""

    seed: int = 1
    bare: bool = False
    asked: float = 1.0
    wrong: Wrong = field(default_factory=Wrong)

    def rows(self, within: Interval) -> list[Row]:
        """One row for each metric of each service and each time."""
        dice = random.Random(f"{self.seed} {within.start}")
        incident = within == INCIDENT
        found: list[Row] = []
        for service in SERVICES:
            totals: dict[str, float] = {}
            for at in range(int(within.start), int(within.end), STEP_S):
                now = self._now(service, dice, incident=incident)
                values = now if self.bare else _counted(now, totals)
                found += [
                    {
                        "time": datetime.fromtimestamp(at, UTC),
                        "service": service,
                        "instance": None if self.bare else f"{service}-5f7c9d-x2k4p",
                        "name": name,
                        "value": value,
                    }
                    for name, value in values.items()
                ]
        return found

    def _now(self, service: str, dice: random.Random, *, incident: bool) -> dict[str, float]:
        asked = self.asked if incident else 1.0
        slow = self.wrong.slow_ms if incident else 0.0
        ms = sum(OWN_MS.get(name, 5.0) for name in _below(service)) + slow * (self.wrong.service in _below(service))
        usual = {
            "cpu": 0.05 * asked * (1 + len(CALLS.get(service, ()))),
            "mem": 2e8,
            "workload": 20.0 * asked,
            "latency-90": ms / 1000,
            "error": 0.0,
            "socket": 40.0,
            "diskio": 1000.0 * asked,
        }
        if incident and service == self.wrong.service and self.wrong.metric:
            usual[self.wrong.metric] = (usual[self.wrong.metric] or 1.0) * self.wrong.times
        return {name: value * dice.lognormvariate(0, 0.02 if name == "mem" else 0.15) for name, value in usual.items()}


def _counted(now: Mapping[str, float], totals: dict[str, float]) -> dict[str, float]:
    """As counters, and a gauge of memory."""
    requests = now["workload"] * STEP_S
    added = {
        "container_cpu_usage_seconds_total": now["cpu"] * STEP_S,
        "istio_requests_total": requests,
        "istio_request_duration_milliseconds_count": requests,
        "istio_request_duration_milliseconds_sum": requests * now["latency-90"] * 1000,
        "http_server_errors_total": now["error"] * STEP_S,
        "container_fs_writes_bytes_total": now["diskio"] * STEP_S,
    }
    for name, value in added.items():
        totals[name] = totals.get(name, 1e4) + value
    return totals | {"container_memory_working_set_bytes": now["mem"], "container_sockets": now["socket"]}


def _below(service: str) -> set[str]:
    """Whom its requests wait for, itself first."""
    found = {service}
    for callee in CALLS.get(service, ()):
        found |= _below(callee)
    return found


def log_rows(
    within: Interval, wrong: str = "", seed: int = 1, severity: str = "ERROR", span: str | None = None
) -> list[Row]:
    """A line of every service every two seconds; of the `wrong` one, complaints in the incident."""
    dice = random.Random(f"{seed} {within.start}")
    found: list[Row] = []
    for at in range(int(within.start), int(within.end), 2):
        for service in SERVICES:
            found.append(_line(at + dice.random(), service, "INFO", f"request {dice.randrange(10**6)} done", span))
            if service == wrong and within == INCIDENT:
                found.append(
                    _line(at + dice.random(), service, severity, f"could not open table {dice.randrange(99)}", span)
                )
    return found


def _line(at: float, service: str, severity: str, body: str, span: str | None) -> Row:
    row = {"time": datetime.fromtimestamp(at, UTC), "service": service, "severity": severity, "body": body}
    return row | {"span_id": span}


def suite(folder: Path, normal: Files, incident: Files, *, graph: bool = False, **described: object) -> Path:
    """A suite with the case `c1`; files by kind (`metrics`), as rows, a table, or bytes."""
    (folder / "baseline").mkdir(parents=True)
    (folder / "c1").mkdir()
    names = []
    for kind, what in normal.items():
        names.append(f"baseline/w1.{_file(kind)}")
        _write(folder / names[-1], what)
    for kind, what in incident.items():
        _write(folder / "c1" / _file(kind), what)
    if graph:
        edges = "".join(f"{source},{callee}\n" for source, callees in CALLS.items() for callee in callees)
        (folder / "graph.csv").write_text(f"source,destination\n{edges}")
    case = {
        "id": "c1",
        "suite": folder.name,
        "fault_start": utc(INCIDENT.start),
        "fault_end": utc(INCIDENT.end),
        "alert_time": None,
        "baseline": [[utc(NORMAL.start), utc(NORMAL.end)]],
        "baseline_files": names,
        "target": None,
        "inputs": sorted(incident),
    }
    (folder / "c1" / "case.json").write_text(json.dumps(case | described))
    return folder


def ranked(folder: Path, normal: Files, incident: Files, *, graph: bool = False, **described: object) -> list[str]:
    """What the engine says of such a case."""
    return rank_suite(suite(folder, normal, incident, graph=graph, **described))["c1"]


def utc(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).isoformat()


def table(rows: Sequence[Row]) -> pa.Table:
    return pa.Table.from_pylist(list(rows))


def _file(kind: str) -> str:
    return "spans.otlp.zst" if kind == "spans" else f"{kind}.parquet"


def _write(path: Path, what: object) -> None:
    if isinstance(what, bytes):
        path.write_bytes(what)
    elif isinstance(what, pa.Table):
        pq.write_table(what, path)
    elif isinstance(what, Iterable):
        pq.write_table(table(list(what)), path)
