"""`python -m tests.bench`: ours and its peers in turn on the same cores, and whether each target is met."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import click

from tests.bench import machine
from tests.bench.environment import serving
from tests.bench.load import Load, Shape
from tests.bench.results import Findings, Run, verdicts
from tests.bench.sections import NAMES, sections


@click.command()
@click.option("--seconds", default=3, show_default=True, help="Load on each proxy, each round.")
@click.option("--rounds", default=8, show_default=True, help="Rounds over all proxies; the median of each is printed.")
@click.option("--connections", default=32, show_default=True, help="Requests at a time.")
@click.option("--long", default=60.0, show_default=True, help="Seconds of the soak, and of the collector's absence.")
@click.option("--only", multiple=True, type=click.Choice(NAMES), help="These sections only.")
@click.option("--json", "into", type=click.Path(path_type=Path), help="Write the run there, for tests.bench.document.")
def main(seconds: int, rounds: int, connections: int, long: float, only: tuple[str, ...], into: Path | None) -> None:
    """Measure what requests cost through each proxy, and hold it against the targets."""
    machine.check()
    machine.take_precedence()
    where = machine.describe()
    asked = [word for word in sys.argv[1:] if word not in {"--json", str(into)}]
    click.echo(
        f"{where.cores} cores, {where.processor}; each proxy on one core, load, backend and span sink on another"
    )
    with tempfile.TemporaryDirectory(prefix="whymesh-bench-") as folder:
        load = Load(Shape(""), seconds, connections, Path(folder))
        known = sections(load, rounds, long)
        found: list[Findings] = []
        with serving(Path(folder)) as environment:
            for name in only or NAMES:
                found.append(_told(known[name](environment)))
                run = Run(command=" ".join(["python -m tests.bench", *asked]), machine=where, sections=tuple(found))
                if into:  # each time: a run that is broken off leaves what it has found
                    into.write_text(run.model_dump_json(indent=1) + "\n")
    click.echo(f"\n{verdicts(run.targets)}")


def _told(found: Findings) -> Findings:
    for table in found.tables:
        click.echo(f"\n{table.title}\n\n{table.markdown()}")
    return found


if __name__ == "__main__":
    main()
