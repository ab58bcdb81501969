"""`python -m tests.bench.collector_away`: kill -9 of the collector under load, and what became of every span.

In: a constant rate of requests through one proxy, a real collector that is killed and comes back on the same port after
some seconds. Out: one line of JSON: requests and failures, spans recorded and stored, the spool at its fullest.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import aiohttp
import click
from aiohttp import web

from tests.world.apps import app
from tests.world.collectors import Collector, collector
from tests.world.engines import Sidecar, sidecar
from tests.world.otlp_sink import eventually
from tests.world.processes import free_port

SERVICE = "kept"
_CALM_S = 1.0
_PATIENCE_S = 120.0
_COUNT = f"SELECT count(), uniqExact(SpanId) FROM otel.otel_traces WHERE ServiceName = '{SERVICE}'"


@dataclass(frozen=True)
class Figures:
    """What one run showed."""

    away_s: float
    requests: int
    failed: int
    p99_ms: float
    p99_away_ms: float
    recorded: int
    stored: int
    lost: int
    repeated: int
    """Spans stored more than once."""
    dropped: dict[str, int]
    spool_peak_bytes: int
    catch_up_s: float


class Load:
    """Requests at a constant rate, each started when it is due whatever became of those before."""

    def __init__(self, session: aiohttp.ClientSession, url: str, rate: float) -> None:
        self._session = session
        self._url = url
        self._rate = rate
        self.failed = 0
        self.ended: list[tuple[float, float]] = []
        """When each request was due, and when it ended."""

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`, and until every request has ended."""
        started = time.monotonic()
        due = 0
        async with asyncio.TaskGroup() as requests:
            while not stop.is_set():
                while due < (time.monotonic() - started) * self._rate:
                    requests.create_task(self._one(started + due / self._rate))
                    due += 1
                await asyncio.sleep(0.005)

    async def _one(self, due: float) -> None:
        try:
            async with self._session.get(self._url) as response:
                await response.read()
                self.failed += response.status != 200
        except (aiohttp.ClientError, TimeoutError):
            self.failed += 1
        self.ended.append((due, time.monotonic()))

    def p99_ms(self, since: float, until: float) -> float:
        """Of the requests that were due in a span of time, from when they were due."""
        took = sorted(end - due for due, end in self.ended if since <= due < until)
        return took[len(took) * 99 // 100] * 1e3


async def _answer(_: web.Request) -> web.StreamResponse:
    return web.Response(text="here")


async def measure(folder: Path, seconds: float, rate: float, **export: object) -> Figures:
    """Kills the collector for so long under so many requests a second, and counts."""
    flags = ("--http", f"127.0.0.1:{free_port()}")
    url = f"http://{flags[1]}/v1/traces"
    stop = asyncio.Event()
    async with (
        app(_answer) as backend,
        sidecar(SERVICE, app=backend, telemetry=url, spool=folder / "spool", export=export) as proxy,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=32)) as session,
        asyncio.TaskGroup() as tasks,
    ):
        load = Load(session, f"http://{proxy.inbound}/", rate)
        with await asyncio.to_thread(_Held, folder, flags) as first:
            running = tasks.create_task(load.run(stop))
            await asyncio.sleep(_CALM_S)
            killed = time.monotonic()
            first.process.kill()
            await asyncio.sleep(seconds)
        with await asyncio.to_thread(_Held, folder, flags) as second:
            back = time.monotonic()
            await asyncio.sleep(_CALM_S)
            stop.set()
            await running
            await eventually(
                lambda: proxy.stats()["records"]["pending"] == 0, lambda: str(proxy.stats()["export"]), _PATIENCE_S
            )
            caught_up = time.monotonic()
            await asyncio.to_thread(second.settle)
            stored, distinct = (await asyncio.to_thread(second.query, _COUNT))[0]
    return _figures(proxy, load, (killed, back, caught_up), int(stored), int(distinct))


class _Held:
    """A collector that is ready, gone at the end of the block."""

    def __init__(self, folder: Path, flags: tuple[str, ...]) -> None:
        self._context = collector(folder, *flags)
        self._served = self._context.__enter__()

    def __enter__(self) -> Collector:
        return self._served

    def __exit__(self, *_: object) -> None:
        self._context.__exit__(None, None, None)


def _figures(proxy: Sidecar, load: Load, moments: tuple[float, float, float], stored: int, distinct: int) -> Figures:
    killed, back, caught_up = moments
    stats = proxy.stats()
    records = stats["records"]
    return Figures(
        away_s=round(back - killed, 1),
        requests=len(load.ended),
        failed=load.failed,
        p99_ms=round(load.p99_ms(0, killed), 1),
        p99_away_ms=round(load.p99_ms(killed, back), 1),
        recorded=records["recorded"],
        stored=distinct,
        lost=records["recorded"] - distinct,
        repeated=stored - distinct,
        dropped={cause: count for cause, count in records["dropped"].items() if count},
        spool_peak_bytes=stats["export"]["spool"]["peak_bytes"],
        catch_up_s=round(caught_up - back, 1),
    )


@click.command()
@click.option("--seconds", default=60.0, show_default=True, help="How long the collector stays away.")
@click.option("--rate", default=500.0, show_default=True, help="Requests a second.")
@click.option("--compression", default="none", show_default=True, type=click.Choice(["none", "gzip", "zstd"]))
def main(seconds: float, rate: float, compression: str) -> None:
    """Kill the collector under load, bring it back, and count spans and failed requests."""
    with tempfile.TemporaryDirectory(prefix="whymesh-away-") as folder:
        figures = asyncio.run(measure(Path(folder), seconds, rate, compression=compression))
    click.echo(json.dumps(asdict(figures)))


if __name__ == "__main__":
    main()
