"""`python -m tests.bench.watching`: what the root-cause engine costs while it watches a mesh of some size.

In: roll-ups of eleven minutes of traffic (busy_mesh.py), in a store of a process of its own. Out: how long an
evaluation takes, the CPU that a minute of them takes of the engine and of the store, in parts of one core, and the most
memory. The engine is a process of its own, too (evaluating.py).
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import click

from collector.store.client import Reader
from tests.bench.busy_mesh import BusyMesh
from tests.bench.evaluating import EVERY_S
from tests.bench.measure import cpu_s, peak_mb
from tests.bench.results import Column, Findings, Table, Target, verdicts
from tests.world.stores import StoreProcess

MESHES = (
    BusyMesh(1_000, services=20, instances=2, routes=3),
    BusyMesh(10_000, services=50, instances=3, routes=3),
    BusyMesh(16_000, services=60, instances=3, routes=4),
    BusyMesh(100_000, services=100, instances=5, routes=4),
)
_NORMAL_S = 620
_EVALUATIONS = 6


@dataclass(frozen=True)
class Cost:
    """Of evaluations one after the other: seconds of each, CPU seconds of both processes, peaks in megabytes."""

    seconds: tuple[float, ...]
    engine_cpu_s: float
    engine_mb: float
    store_cpu_s: float
    store_mb: float
    rows: int

    def of_a_core(self, cpu_s: float) -> float:
        """Percent of one core, at an evaluation every ten seconds."""
        return cpu_s / (len(self.seconds) * EVERY_S) * 100


def measure(meshes: tuple[BusyMesh, ...] = MESHES) -> Findings:
    """One mesh after the other, each in a store of its own."""
    costs = []
    for mesh in meshes:
        click.echo(f"  {mesh.spans_a_second:,} spans a second", err=True)
        costs.append(_watched(mesh))
    table = Table(
        title=f"The live engine, an evaluation every {EVERY_S} s over ten minutes of normal time",
        columns=(
            Column(head="spans/s"),
            Column(head="services"),
            Column(head="roll-up rows"),
            Column(head="first ms"),
            Column(head="median ms"),
            Column(head="engine, of a core", form=".1f", unit=" %"),
            Column(head="store, of a core", form=".1f", unit=" %"),
            Column(head="engine MB"),
            Column(head="store MB"),
        ),
        rows=tuple(
            (
                f"{mesh.spans_a_second:,}",
                mesh.services,
                cost.rows,
                cost.seconds[0] * 1000,
                statistics.median(cost.seconds) * 1000,
                cost.of_a_core(cost.engine_cpu_s),
                cost.of_a_core(cost.store_cpu_s),
                cost.engine_mb,
                cost.store_mb,
            )
            for mesh, cost in zip(meshes, costs, strict=True)
        ),
    )
    targets = tuple(
        Target(
            what=f"evaluation of {mesh.spans_a_second * _NORMAL_S:,} spans from roll-ups, the first",
            measured=cost.seconds[0],
            target=2.0,
            stretch=0.5,
            bound="at most",
            unit=" s",
        )
        for mesh, cost in zip(meshes, costs, strict=True)
    )
    return Findings(section="watching", tables=(table,), targets=targets)


def _watched(mesh: BusyMesh) -> Cost:
    begin = int(time.time()) // EVERY_S * EVERY_S - _NORMAL_S - (_EVALUATIONS + 2) * EVERY_S
    with tempfile.TemporaryDirectory(prefix="whymesh-watching-") as folder:
        store = StoreProcess(Path(folder), Path(folder) / "store.log")
        try:
            rows = _filled(store.url("writer"), mesh, begin)
            return _evaluated(store, begin + _NORMAL_S + 3 * EVERY_S, rows)
        finally:
            store.end()


def _filled(url: str, mesh: BusyMesh, begin: int) -> int:
    with Reader(url, max_execution_time=60) as writer:
        for sql in mesh.inserts(begin, _NORMAL_S + (_EVALUATIONS + 2) * EVERY_S):
            writer.execute(sql)
        (counted,) = writer.rows(
            "SELECT sum(rows) AS rows FROM system.parts WHERE active AND table IN ('mesh_edges', 'mesh_routes')"
        )
    return int(counted["rows"])


def _evaluated(store: StoreProcess, now: float, rows: int) -> Cost:
    before = cpu_s([store.process.pid])
    command = [sys.executable, "-m", "tests.bench.evaluating", store.url("rootcause"), str(now), str(_EVALUATIONS)]
    told = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    spent = cpu_s([store.process.pid]) - before
    return Cost(tuple(told["seconds"]), told["cpu_s"], told["peak_mb"], spent, peak_mb(store.process.pid), rows)


@click.command()
@click.option("--most", default=100_000, show_default=True, help="Spans a second of the busiest mesh.")
def main(most: int) -> None:
    """Watch meshes of several sizes and tell what that takes."""
    found = measure(tuple(mesh for mesh in MESHES if mesh.spans_a_second <= most))
    for table in found.tables:
        click.echo(f"\n{table.title}\n\n{table.markdown()}")
    click.echo(f"\n{verdicts(found.targets)}")


if __name__ == "__main__":
    main()
