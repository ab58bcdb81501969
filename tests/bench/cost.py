"""What a request costs: all proxies up on one core, each under the same load for a short while in turn, many times.

Load generator, backend and span sink share the other core. Requests/s measure the generator as much as the proxy; CPU a
request (utime + stime of the proxy's processes over requests answered) is the figure to compare. A ratio is the median
over rounds, whose slices are seconds apart: what else the machine does falls on both sides alike.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, replace
from statistics import median
from typing import Literal

import click

from tests.bench.environment import Environment
from tests.bench.load import Load, Shape, drive
from tests.bench.peers import ENVOY, ENVOY_TRACED, HAPROXY, NGINX_PROXY, OURS, Peer
from tests.bench.results import Cell, Column, Findings, Table, Target
from tests.bench.running import Running
from tests.bench.secured import ENVOYS_ENCRYPTED, OURS_ENCRYPTED

Figure = Literal["cpu_us", "requests_per_s"]


@dataclass(frozen=True)
class Against:
    """A peer, and how ours must do beside it: the ratio to reach and the one hoped for, of which figure."""

    peer: Peer
    least: float | None = None
    hoped: float | None = None
    figure: Figure = "cpu_us"


@dataclass(frozen=True)
class Comparison:
    """A shape of request and whom ours is held against."""

    shape: Shape
    against: tuple[Against, ...]
    ours: Peer = OURS


_TARGETS = (Against(ENVOY_TRACED, 2.0, 3.0), Against(ENVOY, 1.4, 2.0), Against(HAPROXY, 0.65, 1.0))
COMPARISONS = {
    "http1": Comparison(Shape("HTTP/1.1, 64 bytes"), (*_TARGETS, Against(NGINX_PROXY))),
    "http2": Comparison(Shape("HTTP/2, 64 bytes", http2=True), _TARGETS),
    "grpc": Comparison(Shape("gRPC unary", path="/grpc", http2=True, grpc=True), _TARGETS),
    "64k": Comparison(
        Shape("HTTP/1.1, 64 KiB", path="/64k", body_bytes=65_536),
        (Against(HAPROXY, 0.8, 1.0, "requests_per_s"), Against(ENVOY)),
    ),
    "mtls": Comparison(
        Shape("HTTP/1.1, 64 bytes, two proxies with mutual TLS", host="back"),
        (Against(ENVOYS_ENCRYPTED, 1.5, 2.5),),
        OURS_ENCRYPTED,
    ),
}
_COLUMNS = (
    Column(head="proxy"),
    Column(head="CPU µs/req", form=".1f"),
    Column(head="ratio", form=".2f", unit="x"),
    Column(head="req/s"),
    Column(head="ratio", form=".2f", unit="x"),
    Column(head="RSS MB"),
    Column(head="idle MB"),
    Column(head="p50 ms", form=".2f"),
    Column(head="p99 ms", form=".2f"),
    Column(head="spans/req", form=".3f"),
)


@dataclass(frozen=True)
class Slice:
    """One proxy under load once."""

    requests: int
    cpu_us: float
    requests_per_s: float
    p50_us: float
    p99_us: float | None


class Contender:
    """One proxy that runs, and what it did in each round."""

    def __init__(self, peer: Peer, running: Running) -> None:
        self.name = peer.name
        self.running = running
        self.idle_mb = running.rss_mb()
        self.slices: list[Slice] = []
        self._warmed = 0

    def warm(self, load: Load) -> None:
        self._warmed = drive(replace(load, seconds=1), self.running.port).requests

    def run(self, load: Load) -> None:
        """One slice, with what was deferred off the request path."""
        before = self.running.cpu_s()
        answered = drive(load, self.running.port)
        if self.running.spans() is not None:
            time.sleep(1.0)  # not readiness: twice the interval at which spans are exported
        cpu_us = (self.running.cpu_s() - before) * 1e6 / answered.requests
        rate = answered.requests / load.seconds
        self.slices.append(Slice(answered.requests, cpu_us, rate, answered.p50_us, answered.p99_us))

    def ratio(self, ours: Contender, figure: Figure) -> float:
        """The median over rounds of its figure over ours."""
        rounds = zip(self.slices, ours.slices, strict=True)
        return median(getattr(its, figure) / getattr(our, figure) for its, our in rounds)

    def row(self, ours: Contender) -> tuple[Cell, ...]:
        p99s = [one.p99_us for one in self.slices if one.p99_us is not None]
        requests = self._warmed + sum(one.requests for one in self.slices)
        return (
            self.name,
            median(one.cpu_us for one in self.slices),
            self.ratio(ours, "cpu_us"),
            median(one.requests_per_s for one in self.slices),
            self.ratio(ours, "requests_per_s"),
            self.running.rss_mb(),
            self.idle_mb,
            median(one.p50_us for one in self.slices) / 1e3,
            median(p99s) / 1e3 if p99s else None,
            self.running.spans_a_request(requests),
        )


def measure(key: str, environment: Environment, load: Load, rounds: int) -> Findings:
    """One comparison: its table, and what it says of each target."""
    comparison = COMPARISONS[key]
    shape, against = comparison.shape, comparison.against
    load = replace(load, shape=shape)
    with contextlib.ExitStack() as up:
        contenders = [
            Contender(peer, up.enter_context(peer.start(environment, shape.http2)))
            for peer in (comparison.ours, *(one.peer for one in against))
        ]
        for one in contenders:
            one.warm(load)
        for _ in range(rounds):
            for one in contenders:
                one.run(load)
                click.echo(f"  {one.name}: {one.slices[-1].cpu_us:.1f} µs", err=True)
        ours, *others = contenders
        title = (
            f"{shape.name}: {load.connections} requests at a time, median of {rounds} x {load.seconds} s each in turn"
        )
        table = Table(title=title, columns=_COLUMNS, rows=tuple(one.row(ours) for one in contenders))
    targets = [_target(shape, one, other, ours) for one, other in zip(against, others, strict=True)]
    memory = _memory(ours, others[0]) if key == "http1" else []
    return Findings(section=key, tables=(table,), targets=(*(t for t in targets if t), *memory))


def _target(shape: Shape, against: Against, other: Contender, ours: Contender) -> Target | None:
    if against.least is None:
        return None
    ratio = other.ratio(ours, against.figure)
    if against.figure == "cpu_us":
        what = f"{shape.name}: CPU a request, {other.name} over ours"
    else:
        what, ratio = f"{shape.name}: requests/s, ours over {other.name}", 1 / ratio
    return Target(what=what, measured=ratio, target=against.least, stretch=against.hoped)


def _memory(ours: Contender, envoy: Contender) -> list[Target]:
    return [
        Target(what="idle RSS", measured=ours.idle_mb, target=25, stretch=12, bound="at most", unit=" MB"),
        Target(what="idle RSS: Envoy over ours", measured=envoy.idle_mb / ours.idle_mb, target=2),
    ]
