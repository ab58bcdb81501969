"""`python -m tests.bench`: ours and its peers in turn on the same cores, and whether each target is met."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import click

from tests.bench import cost, endurance, idle, two_hops
from tests.bench.environment import Environment, check_machine, describe_machine, serving, take_precedence
from tests.bench.load import Load, Shape
from tests.bench.verdict import Row, render

Section = Callable[[Environment], Iterable[Row]]
NAMES = (*cost.COMPARISONS, "two-hops", "idle", "growth", "soak", "away")


@click.command()
@click.option("--seconds", default=8, show_default=True, help="Load on each proxy, each round.")
@click.option("--rounds", default=3, show_default=True, help="Rounds over all proxies; the median of each is printed.")
@click.option("--connections", default=32, show_default=True, help="Requests at a time.")
@click.option("--long", default=60.0, show_default=True, help="Seconds of the soak, and of the collector's absence.")
@click.option("--only", multiple=True, type=click.Choice(NAMES), help="These sections only.")
def main(seconds: int, rounds: int, connections: int, long: float, only: tuple[str, ...]) -> None:
    """Measure what requests cost through each proxy, and hold it against the targets."""
    check_machine()
    take_precedence()
    with tempfile.TemporaryDirectory(prefix="whymesh-bench-") as folder:
        load = Load(Shape(""), seconds, connections, Path(folder))
        sections: dict[str, Section] = {
            key: partial(cost.measure, key, load=load, rounds=rounds) for key in cost.COMPARISONS
        }
        sections["two-hops"] = partial(two_hops.measure, seconds=seconds, rounds=rounds)
        sections["idle"] = idle.measure
        sections["growth"] = endurance.under_strangers
        sections["soak"] = partial(endurance.soaked, seconds=long)
        sections["away"] = partial(endurance.without_collector, seconds=long)
        click.echo(describe_machine())
        with serving(Path(folder)) as environment:
            rows = [row for name in only or NAMES for row in sections[name](environment)]
    click.echo(f"\n{render(rows)}")


if __name__ == "__main__":
    main()
