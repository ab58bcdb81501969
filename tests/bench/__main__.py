"""`python -m tests.bench`: every proxy in turn on the same core, one table of ratios.

Load generator, backend and span sink share the other core. Requests/s measure the generator as much as the proxy; CPU a
request (utime + stime of the proxy's processes over requests answered) is the figure to compare.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import click

from tests.bench.environment import Environment, check_machine, describe_machine, serving
from tests.bench.load import Load, drive
from tests.bench.measure import Measurement, measured
from tests.bench.peers import PEERS, Peer
from tests.bench.table import render


@click.command()
@click.option("--seconds", default=8, show_default=True, help="Load on each proxy, each round.")
@click.option("--rounds", default=3, show_default=True, help="Rounds over all proxies; the median of each is printed.")
@click.option("--connections", default=32, show_default=True)
@click.option("--only", multiple=True, type=click.Choice([p.name for p in PEERS]), help="Measure these only.")
@click.option("--json", "as_json", is_flag=True, help="Print the measurements as JSON lines instead.")
def main(seconds: int, rounds: int, connections: int, only: tuple[str, ...], as_json: bool) -> None:
    """Proxy small GETs over HTTP/1.1 and print what each request costs."""
    check_machine()
    chosen = [p for p in PEERS if not only or p.name in only]
    load = Load(seconds=seconds, connections=connections)
    with tempfile.TemporaryDirectory(prefix="whymesh-bench-") as folder, serving(Path(folder)) as environment:
        rows = [[_measure(peer, environment, load) for peer in chosen] for _ in range(rounds)]
    medians = [_median([row[i] for row in rows]) for i in range(len(chosen))]
    if as_json:
        for measurement in medians:
            click.echo(measurement.as_json())
    else:
        click.echo(describe_machine())
        click.echo(
            f"{connections} connections, GET of 64 bytes, {rounds} rounds of {seconds} s, median by CPU a request\n"
        )
        click.echo(render(medians))


def _measure(peer: Peer, environment: Environment, load: Load) -> Measurement:
    """One proxy started, warmed, driven and stopped."""
    with peer.start(environment) as running:
        idle_rss = running.rss()
        warmed = drive(replace(load, seconds=1), running.port)
        with measured(running) as taken:
            answered = drive(load, running.port)
        share = running.spans_a_request(warmed.requests + answered.requests)
        click.echo(f"  {peer.name}: {answered.requests / load.seconds:,.0f} requests/s", err=True)
        return taken.result(peer.name, answered, load, idle_rss, share)


def _median(of: list[Measurement]) -> Measurement:
    return sorted(of, key=lambda m: m.cpu_us)[len(of) // 2]


if __name__ == "__main__":
    main()
