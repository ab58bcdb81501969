"""`python -m tests.bench.watching`: what the root-cause engine costs while it watches a mesh of some size.

In: roll-ups of eleven minutes of traffic (busy_mesh.py), merged, in a store of a process of its own that begins with
the first evaluation. Out: how long an evaluation takes, the CPU that a minute of them takes of the engine and of the
store, in parts of one core, and the most memory. The engine is a process of its own, too (evaluating.py). Rows of that
traffic are written, not its spans: what taking and storing these costs is for `collecting` and `history` to tell.
"""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from collector.store.client import Reader
from tests.bench.busy_mesh import STEP_S, BusyMesh
from tests.bench.evaluating import EVERY_S, evaluated
from tests.bench.measure import cpu_s, peak_mb
from tests.bench.results import Column, Findings, Table, Target, verdicts
from tests.world.processes import until
from tests.world.stores import StoreProcess

MESHES = (
    BusyMesh(1_000, services=20, instances=2, routes=3),
    BusyMesh(10_000, services=50, instances=3, routes=3),
    BusyMesh(16_000, services=60, instances=3, routes=4),
    BusyMesh(100_000, services=100, instances=5, routes=4),
)
_NORMAL_S = 620
_EVALUATIONS = 12
_MERGED_WITHIN_S = 900.0


@dataclass(frozen=True)
class Cost:
    """Of evaluations one after the other: seconds of each, CPU seconds of both processes, peaks in megabytes."""

    seconds: list[float]
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
        title=f"The live engine, an evaluation every {EVERY_S} s over ten minutes of normal time (roll-ups, no spans)",
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
    begin = int(time.time()) // STEP_S * STEP_S - _NORMAL_S - (_EVALUATIONS + 6) * EVERY_S
    with tempfile.TemporaryDirectory(prefix="whymesh-watching-") as folder:
        with _store(Path(folder)) as store:
            rows = _filled(store, mesh, begin)
        with _store(Path(folder)) as store:
            return _evaluated(store, begin + _NORMAL_S + 3 * STEP_S, rows)


@contextlib.contextmanager
def _store(folder: Path) -> Iterator[StoreProcess]:
    store = StoreProcess(folder, folder / "store.log")
    try:
        yield store
    finally:
        store.end()


def _filled(store: StoreProcess, mesh: BusyMesh, begin: int) -> int:
    """Rows of the roll-ups, once they are merged: a store that lives through eleven minutes merges all the while."""
    with Reader(store.url("writer"), max_execution_time=60) as writer:
        for sql in mesh.inserts(begin, _NORMAL_S + (_EVALUATIONS + 6) * EVERY_S):
            writer.execute(sql)
        until(
            lambda: writer.rows("SELECT count() AS now FROM system.merges") == [{"now": 0}], "merges", _MERGED_WITHIN_S
        )
        (counted,) = writer.rows(
            "SELECT sum(rows) AS rows FROM system.parts WHERE active AND table IN ('mesh_edges', 'mesh_routes')"
        )
    return int(counted["rows"])


def _evaluated(store: StoreProcess, now: float, rows: int) -> Cost:
    before = cpu_s([store.process.pid])
    told = evaluated(store.url("rootcause"), now, _EVALUATIONS)
    assert set(told.states) == {"nothing_wrong"}, told
    spent = cpu_s([store.process.pid]) - before
    return Cost(told.seconds, told.cpu_s, told.peak_mb, spent, peak_mb(store.process.pid), rows)


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
