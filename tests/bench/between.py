"""`python -m tests.bench.between`: requests of HTTP/1.1 over connections of their own between two proxies, and over
HTTP/2 connections that they share (docs/adr/008).

In: the same load through two pairs in turn. Out: CPU of both proxies a request, requests a second, latency, and the
connections between them.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import click

from tests.bench import machine
from tests.bench.environment import Environment, serving
from tests.bench.handshakes import pair
from tests.bench.load import Load, Shape, drive
from tests.bench.results import Column, Table
from tests.bench.running import Running

_SHAPES = (Shape("64 bytes", host="back"), Shape("64 KiB", path="/64k", body_bytes=65_536, host="back"))
_AT_ONCE = (1, 32)
_COLUMNS = (
    Column(head="requests"),
    Column(head="between the proxies"),
    Column(head="CPU µs/req", form=".1f"),
    Column(head="req/s"),
    Column(head="p50 ms", form=".2f"),
    Column(head="p99 ms", form=".2f"),
    Column(head="RSS MB", form=".1f"),
)


@dataclass
class Shown:
    """What one pair did with one load, round by round."""

    cpu_us: list[float] = field(default_factory=list)
    a_second: list[float] = field(default_factory=list)
    p50_ms: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)

    def take(self, running: Running, load: Load) -> None:
        spent = running.cpu_s()
        answered = drive(load, running.port)
        self.cpu_us.append((running.cpu_s() - spent) * 1e6 / answered.requests)
        self.a_second.append(answered.requests / load.seconds)
        self.p50_ms.append(answered.p50_us / 1e3)
        self.p99_ms.append((answered.p99_us or 0.0) / 1e3)

    def cells(self) -> tuple[float, ...]:
        return tuple(median(column) for column in (self.cpu_us, self.a_second, self.p50_ms, self.p99_ms))


def measure(environment: Environment, seconds: int, rounds: int) -> Table:
    """Every load through both, in turn."""
    loads = [Load(shape, seconds, at_once, environment.folder) for shape in _SHAPES for at_once in _AT_ONCE]
    with pair(environment, "--between", "http1") as (own, _), pair(environment, "--between", "http2") as (shared, _):
        pairs = {"HTTP/1.1, one each": own, "HTTP/2, shared": shared}
        shown = {(at, name): Shown() for at in range(len(loads)) for name in pairs}
        for _ in range(rounds):
            for at, load in enumerate(loads):
                for name, running in pairs.items():
                    shown[at, name].take(running, load)
        memory = {name: running.rss_mb() for name, running in pairs.items()}
    rows = tuple(
        (f"{loads[at].shape.name}, {loads[at].connections} at a time", name, *one.cells(), memory[name])
        for (at, name), one in shown.items()
    )
    return Table(title=f"Two proxies, mutual TLS, median of {rounds} x {seconds} s", columns=_COLUMNS, rows=rows)


@click.command()
@click.option("--seconds", default=2, show_default=True)
@click.option("--rounds", default=5, show_default=True)
def main(seconds: int, rounds: int) -> None:
    """Print what requests cost either way."""
    machine.take_precedence()
    with tempfile.TemporaryDirectory(prefix="whymesh-bench-") as folder, serving(Path(folder)) as environment:
        table = measure(environment, seconds, rounds)
    click.echo(f"{table.title}\n\n{table.markdown()}")


if __name__ == "__main__":
    main()
