"""What two proxies in a row add to the latency of 1000 requests/s: through a pair of ours, through a pair of Envoys.

Added: a percentile through the pair less the same percentile without any proxy, in rounds that alternate.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from statistics import median

import click

from tests.bench.environment import Environment
from tests.bench.load import LOAD_CORE
from tests.bench.open_loop import drive, percentile
from tests.bench.peers import Start, envoy_pair, whymesh_pair
from tests.bench.table import markdown
from tests.bench.verdict import Row

RATE = 1000.0
_PAIRS: dict[str, Start] = {"two whymesh, traced": whymesh_pair, "two Envoys, traced": envoy_pair}
_SHOWN = (50.0, 90.0, 99.0, 99.9)


def measure(environment: Environment, seconds: float, rounds: int) -> Iterator[Row]:
    """Prints what each pair adds and yields the ratio of the 99th percentiles."""
    added: dict[str, list[list[float]]] = {name: [] for name in _PAIRS}
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {LOAD_CORE})
    try:
        for _ in range(rounds):
            for name, start in _PAIRS.items():
                added[name].append(_added(start, environment, seconds))
                click.echo(f"  {name}: added p99 {added[name][-1][2] * 1e3:.2f} ms", err=True)
    finally:
        os.sched_setaffinity(0, before)
    medians = {name: [median(column) for column in zip(*taken, strict=True)] for name, taken in added.items()}
    click.echo(f"\nTwo hops at {RATE:,.0f} requests/s, added milliseconds, median of {rounds} x {seconds} s\n")
    head = ("pair", *(f"p{one:g}" for one in _SHOWN))
    click.echo(markdown(head, [(name, *(f"{s * 1e3:.3f}" for s in row)) for name, row in medians.items()]))
    ours, theirs = (row[2] for row in medians.values())
    yield Row("two hops: added p99, Envoy pair over ours", theirs / ours, 2.0, 3.0)


def _added(start: Start, environment: Environment, seconds: float) -> list[float]:
    gc.disable()  # a collection of the generator's garbage would be somebody's p99
    try:
        bare = drive(environment.backend, "", RATE, seconds)
        with start(environment, False) as running:
            through = drive(running.port, running.host, RATE, seconds)
    finally:
        gc.enable()
    return [percentile(through, one) - percentile(bare, one) for one in _SHOWN]
