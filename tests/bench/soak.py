"""`python -m tests.bench.soak --seconds 1800`: constant load through two proxies, a collector and its ClickHouse.

In: requests at a constant rate. Out: one line of JSON: what the client, the proxies and ClickHouse counted, which must
agree exactly, and by how much each process grew.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import click
from aiohttp import web

from tests.bench.measure import rss_mb
from tests.bench.open_loop import drive
from tests.world import meshes
from tests.world.apps import app
from tests.world.collectors import Collector, collector
from tests.world.otlp_sink import eventually
from tests.world.processes import Process, free_port, get, running

MOST_GROWTH_MB = 2.0
"""A proxy that grows more than this leaks; the collector's ClickHouse has caches that fill for as long as it runs."""
_WARM_UP = (5_000.0, 3.0)
"""A rate, or as many as can be had, and seconds: 15 000 requests, after which queues and buffers have their size."""
WARM = int(_WARM_UP[0] * _WARM_UP[1])
_EVERY_S = 0.5
_COUNTS = ("rows", "spans", "traces")
_COUNTED = 2 + 2 * len(_COUNTS)
"""Figures that must all be the same: of each proxy its own, and what is stored of it."""
_PATIENCE_S = 60.0
_STORED = """
SELECT concat(ServiceName, ' ', SpanKind), count(), uniqExact(SpanId), uniqExact(TraceId)
FROM otel.otel_traces WHERE ServiceName IN ('front', 'back') GROUP BY 1
"""


@dataclass(frozen=True)
class Figures:
    """What one run showed; every value of `counted` and `stored` must be `requests`."""

    requests: int
    """Answered with 200, those of the warm-up among them."""
    counted: dict[str, int]
    """By each proxy, for its direction."""
    stored: dict[str, int]
    """Rows, distinct spans and distinct traces in ClickHouse, by service and kind of span; three for each proxy."""
    dropped: dict[str, int]
    """Spans not exported, by proxy and cause."""
    grown_mb: dict[str, float]
    """Memory in the last fifth of the time less that in the second."""

    @property
    def off_by(self) -> int:
        """The most by which proxies and ClickHouse differ from the client; all of it when one has no count."""
        counts = [*self.counted.values(), *self.stored.values()]
        if len(counts) < _COUNTED:
            return self.requests
        return max(abs(count - self.requests) for count in counts)

    @property
    def agree(self) -> bool:
        """Whether client, proxies and ClickHouse counted the same."""
        return self.off_by == 0 and not self.dropped


class Proxied:
    """One service with a sidecar process beside its application."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.inbound, self.outbound, self.admin = free_port(), free_port(), free_port()

    def document(self, application: str) -> dict[str, object]:
        side = meshes.sidecar(self.inbound, self.outbound, self.admin)
        return meshes.service(
            self.name, meshes.endpoint(f"{self.name}-1", int(application.rpartition(":")[2]), sidecar=side)
        )

    @contextlib.contextmanager
    def running(self, folder: Path, control: int) -> Iterator[Process]:
        flags = ("--instance", f"{self.name}-1", "--admin", f"127.0.0.1:{self.admin}")
        with running(
            "proxy", *flags, "--control", f"http://127.0.0.1:{control}", log=folder / f"{self.name}.log"
        ) as it:
            it.ready(f"http://127.0.0.1:{self.admin}/readyz")
            yield it

    def stats(self) -> dict[str, Any]:
        stats: dict[str, Any] = json.loads(get(f"http://127.0.0.1:{self.admin}/stats")[1])
        return stats


async def _answer(_: web.Request) -> web.StreamResponse:
    return web.Response(text="here")


async def measure(folder: Path, seconds: float, rate: float) -> Figures:
    """Drives for so long, waits until everything is stored, and counts; raises when a request failed."""
    front, back, control = Proxied("front"), Proxied("back"), free_port()
    with contextlib.ExitStack() as processes:
        async with app(_answer) as address:
            store = await asyncio.to_thread(processes.enter_context, collector(folder))
            telemetry = {"endpoint": store.url("http", "/v1/traces"), "flush": "100ms"}
            path = meshes.write(
                folder / "mesh.yaml",
                meshes.mesh(telemetry=telemetry),
                front.document(address),
                back.document(address),
            )
            flags = ("-f", str(path), "--listen", f"127.0.0.1:{control}", "--state", str(folder / "control"))
            brain = processes.enter_context(running("proxy.control", *flags, log=folder / "control.log"))
            await asyncio.to_thread(brain.ready, f"http://127.0.0.1:{control}/readyz")
            watched = {"collector": store.process}
            for one in (front, back):
                started = one.running(folder, control)
                watched[one.name] = await asyncio.to_thread(processes.enter_context, started)
            latencies = await asyncio.to_thread(drive, front.outbound, "back", *_WARM_UP, 0.0)
            async with _sampled(watched) as samples:
                latencies += await asyncio.to_thread(drive, front.outbound, "back", rate, seconds, 0.0)
            await eventually(lambda: _exported(front, back), "the proxies to export every span", _PATIENCE_S)
            stored = await _settled(store, len(latencies))
            stats = {one.name: one.stats() for one in (front, back)}
    return Figures(
        requests=len(latencies),
        counted={f"{name} {direction}": n for name, seen in stats.items() for direction, n in _directions(seen)},
        stored={f"{name} {what}": n for name, *counts in stored for what, n in zip(_COUNTS, counts, strict=True)},
        dropped={f"{name} {cause}": n for name, seen in stats.items() for cause, n in _dropped(seen)},
        grown_mb={name: round(_growth(taken), 2) for name, taken in samples.items()},
    )


async def _settled(store: Collector, requests: int) -> list[tuple[Any, ...]]:
    """What is stored once it is as much as was asked, or time is up: the collector answers before it stores."""
    stored: list[tuple[Any, ...]] = []
    for _ in range(int(_PATIENCE_S / _EVERY_S)):
        stored = await asyncio.to_thread(store.query, _STORED)
        if len(stored) == 2 and all(row[1] >= requests for row in stored):
            break
        await asyncio.sleep(_EVERY_S)
    return stored


def _directions(stats: dict[str, Any]) -> Iterator[tuple[str, int]]:
    for direction in sorted({series["direction"] for series in stats["requests"]}):
        yield direction, sum(series["count"] for series in stats["requests"] if series["direction"] == direction)


def _dropped(stats: dict[str, Any]) -> Iterator[tuple[str, int]]:
    return ((cause, count) for cause, count in stats["records"]["dropped"].items() if count)


def _exported(*proxies: Proxied) -> bool:
    return all(one.stats()["records"]["pending"] == 0 for one in proxies)


@contextlib.asynccontextmanager
async def _sampled(watched: dict[str, Process]) -> AsyncIterator[dict[str, list[float]]]:
    """Memory of each process, read at intervals while the block runs."""
    samples: dict[str, list[float]] = {name: [] for name in watched}

    async def sample() -> None:
        while True:
            for name, process in watched.items():
                samples[name].append(rss_mb([process.pid]))
            await asyncio.sleep(_EVERY_S)

    task = asyncio.create_task(sample())
    try:
        yield samples
    finally:
        task.cancel()


def _growth(samples: list[float]) -> float:
    """From the second fifth of the time to the last, by medians."""
    fifth = max(1, len(samples) // 5)
    return median(samples[-fifth:]) - median(samples[fifth : 2 * fifth])


@click.command()
@click.option("--seconds", default=60.0, show_default=True, help="How long the load lasts; 1800 for the long form.")
@click.option("--rate", default=500.0, show_default=True, help="Requests a second.")
def main(seconds: float, rate: float) -> None:
    """Drive two proxies, a collector and its ClickHouse for long, and compare counts and memory."""
    with tempfile.TemporaryDirectory(prefix="whymesh-soak-") as folder:
        figures = asyncio.run(measure(Path(folder), seconds, rate))
    click.echo(json.dumps({**asdict(figures), "agree": figures.agree}))
    if not figures.agree or max(figures.grown_mb[name] for name in ("front", "back")) > MOST_GROWTH_MB:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
