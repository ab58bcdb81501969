"""What a request costs: each proxy in turn on the same core under the same load, by shape of request.

Load generator, backend and span sink share the other core. Requests/s measure the generator as much as the proxy; CPU a
request (utime + stime of the proxy's processes over requests answered) is the figure to compare.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import click

from tests.bench.environment import Environment
from tests.bench.load import Load, Shape, drive
from tests.bench.peers import ENVOY, ENVOY_TRACED, HAPROXY, NGINX_PROXY, OURS, Peer
from tests.bench.table import markdown
from tests.bench.verdict import Row


@dataclass(frozen=True)
class Comparison:
    """A shape of request and whom ours is held against, as (peer, least ratio of its CPU to ours, ratio hoped for)."""

    shape: Shape
    against: tuple[tuple[Peer, float | None, float | None], ...]


_TARGETS: tuple[tuple[Peer, float | None, float | None], ...] = (
    (ENVOY_TRACED, 2.0, 3.0),
    (ENVOY, 1.4, 2.0),
    (HAPROXY, 0.65, 1.0),
)
COMPARISONS = {
    "http1": Comparison(Shape("HTTP/1.1, 64 bytes"), (*_TARGETS, (NGINX_PROXY, None, None))),
    "http2": Comparison(Shape("HTTP/2, 64 bytes", http2=True), _TARGETS),
    "grpc": Comparison(Shape("gRPC unary", path="/grpc", http2=True, grpc=True), _TARGETS),
    "64k": Comparison(
        Shape("HTTP/1.1, 64 KiB", path="/64k", body_bytes=65_536), ((HAPROXY, 0.8, 1.0), (ENVOY, None, None))
    ),
}


@dataclass(frozen=True)
class Cost:
    """One proxy under one load."""

    name: str
    cpu_us: float
    requests_per_s: float
    idle_rss_mb: float
    rss_mb: float
    p50_us: float
    p99_us: float | None
    spans_share: float | None


def measure(key: str, environment: Environment, load: Load, rounds: int) -> Iterator[Row]:
    """Prints the table of one comparison and yields what it says of each target."""
    comparison = COMPARISONS[key]
    peers = (OURS, *(peer for peer, _, _ in comparison.against))
    load = replace(load, shape=comparison.shape)
    rows = [[_one(peer, environment, load) for peer in peers] for _ in range(rounds)]
    ours, *others = [_median([row[i] for row in rows]) for i in range(len(peers))]
    click.echo(
        f"\n{comparison.shape.name}: {load.connections} requests at a time, {rounds} x {load.seconds} s, median\n"
    )
    click.echo(_table(ours, others))
    for (_, least, hoped), other in zip(comparison.against, others, strict=True):
        if least is not None:
            yield Row(f"{comparison.shape.name}: CPU a request, {other.name}", other.cpu_us / ours.cpu_us, least, hoped)
    if key == "http1":
        yield Row("idle RSS, MB", ours.idle_rss_mb, 25, 12, at_most=True, unit="")
        yield Row("idle RSS: Envoy over ours", others[0].idle_rss_mb / ours.idle_rss_mb, 2, None)


def _one(peer: Peer, environment: Environment, load: Load) -> Cost:
    """One proxy started, warmed, driven and stopped."""
    with peer.start(environment, load.shape.http2) as running:
        idle_rss = running.rss_mb()
        warmed = drive(replace(load, seconds=1), running.port)
        before = running.cpu_s()
        answered = drive(load, running.port)
        time.sleep(1.0)  # not readiness: what was deferred off the request path must be counted too
        cpu = running.cpu_s() - before
        rss = running.rss_mb()
        share = running.spans_a_request(warmed.requests + answered.requests)
    click.echo(f"  {peer.name}: {answered.requests / load.seconds:,.0f} requests/s", err=True)
    return Cost(
        name=peer.name,
        cpu_us=cpu * 1e6 / answered.requests,
        requests_per_s=answered.requests / load.seconds,
        idle_rss_mb=idle_rss,
        rss_mb=rss,
        p50_us=answered.p50_us,
        p99_us=answered.p99_us,
        spans_share=share,
    )


def _median(of: list[Cost]) -> Cost:
    return sorted(of, key=lambda cost: cost.cpu_us)[len(of) // 2]


def _table(ours: Cost, others: list[Cost]) -> str:
    head = ("proxy", "CPU µs/req", "ratio", "req/s", "RSS MB", "idle MB", "p50 ms", "p99 ms", "spans/req")
    return markdown(
        head,
        [
            (
                cost.name,
                f"{cost.cpu_us:.1f}",
                f"{cost.cpu_us / ours.cpu_us:.2f}x",
                f"{cost.requests_per_s:,.0f}",
                f"{cost.rss_mb:.0f}",
                f"{cost.idle_rss_mb:.0f}",
                f"{cost.p50_us / 1e3:.2f}",
                "-" if cost.p99_us is None else f"{cost.p99_us / 1e3:.2f}",
                "-" if cost.spans_share is None else f"{cost.spans_share:.3f}",
            )
            for cost in (ours, *others)
        ],
    )
