"""`python -m collector`: OTLP in at two doors -> log -> Native blocks -> ClickHouse, and two doors for readers.

`run` is the wiring, read top to bottom; what it opens closes in reverse order, so that nothing accepted is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import click
from aiohttp import web
from prometheus_client import CollectorRegistry

from collector import logs
from collector.admin import Admin
from collector.beside import beside
from collector.canary import Canary
from collector.captured import Captured
from collector.config import Config, load
from collector.drops import Drops
from collector.encode import Encoder
from collector.errors import CollectorError
from collector.home import open_store
from collector.ingest import Ingest, Keep
from collector.keep.expiry import Terms
from collector.keep.forget import Keeper
from collector.keep.thin import Thinner
from collector.listening import host_port, listening
from collector.pairs import Pairs, Tide, unwatch
from collector.receive.budget import Budget
from collector.receive.otlp_grpc import GrpcReceiver
from collector.receive.otlp_http import HttpReceiver
from collector.receive.repeats import Repeats
from collector.receive.request import Form
from collector.receive.signals import Signal
from collector.receive.tenants import Tenants, read_terms
from collector.receive.zipkin_http import ZipkinReceiver
from collector.sample.figures import Figures
from collector.sample.named import named
from collector.sample.sampler import Sampler
from collector.store.errors import StoreError
from collector.store.home import Store
from collector.telemetry import SCOPE, Meters, Reporter, own_spans
from collector.tls import Tls
from collector.wal.log import Log
from collector.wal.policy import Policy
from collector.write.deliver import Delivery
from collector.write.earlier import Earlier
from collector.write.group import Limits
from collector.write.resume import Resume
from collector.write.settle import Ledger
from collector.write.writers import Writers

log = logging.getLogger(SCOPE)

ENCODERS = 2
GRACE_S = 10.0
OWN_SPANS_S = 5.0


@click.command(name="collector")
@click.option("--config", "path", type=click.Path(path_type=Path), help="YAML file; flags override it.")
@click.option(
    "--data", type=click.Path(path_type=Path), help="Directory of the embedded ClickHouse and of the write-ahead log."
)
@click.option("--store", help="A ClickHouse server, clickhouse://user:password@host:9000/otel.  [default: embedded]")
@click.option("--grpc", help="OTLP/gRPC.  [default: 127.0.0.1:4317]")
@click.option("--http", help="OTLP/HTTP.  [default: 127.0.0.1:4318]")
@click.option("--zipkin", help="Zipkin's JSON, such as 127.0.0.1:9411.  [default: closed]")
@click.option("--clickhouse-native", help="ClickHouse native protocol.  [default: 127.0.0.1:9000]")
@click.option("--clickhouse-http", help="ClickHouse HTTP.  [default: 127.0.0.1:8123]")
@click.option("--metrics", help="/metrics /healthz /readyz.  [default: 127.0.0.1:8888]")
def command(path: Path | None, data: Path | None, store: str | None, **listen: str | None) -> None:
    """Store OTLP in ClickHouse.

    Receives spans, metrics and logs from the proxies and from any OpenTelemetry SDK, stores them in an embedded
    ClickHouse, and serves that to any ClickHouse client; or stores them in a ClickHouse server. A request is answered
    once it is on disk.

    \b
    Example:
      whymesh collector --data ./data
      OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 python your_service.py
      curl 'http://127.0.0.1:8123/?query=SELECT+count()+FROM+otel.otel_traces'
    """
    logs.set_up()
    try:
        flags: dict[str, Any] = {f"listen.{name}": address for name, address in listen.items()}
        flags |= {"data": data, "store.url": store}
        asyncio.run(run(load(path, flags)))
    except (CollectorError, StoreError) as error:
        click.echo(f"whymesh collector: {error}", err=True)
        raise SystemExit(2) from None


async def run(config: Config) -> None:
    """Serves until SIGTERM or SIGINT. Raises CannotListen, StoreUnavailable, SchemaRefused."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    registry = CollectorRegistry()
    meters, drops, admin = Meters(registry), Drops(registry), Admin(registry)
    reporter = Reporter(meters, drops)

    async with contextlib.AsyncExitStack() as opened:
        ports = {"metrics": await _serve(opened, "metrics", config.listen.metrics, admin.application())}

        store, doors = await open_store(opened, config)
        ports |= doors
        if doors and not config.pair_s:
            await unwatch(store)

        folder = config.wal.folder or config.data / "wal"
        wal = await asyncio.to_thread(Log.open, folder, config.data, _policy(config))
        opened.push_async_callback(wal.close)
        await wal.start()
        meters.log_bytes.set_function(lambda: wal.size)
        meters.log_requests.set_function(lambda: wal.requests)

        ledger, tide = Ledger(wal), Tide(store)
        writers = Writers(tide.insert, ledger, reporter, _limits(config))
        opened.push_async_callback(writers.drain)
        meters.waiting.set_function(lambda: writers.held_bytes)

        threads = opened.enter_context(ThreadPoolExecutor(ENCODERS, thread_name_prefix="encode"))
        rules, earlier = config.attributes.text(), Earlier(folder)
        encoders = [_encoder(threads, config, one) for one in earlier.begin(rules)]
        encoder = encoders[0]
        delivery = Delivery(wal, ledger, writers, encoder, drops)
        opened.push_async_callback(delivery.close)
        delivery.start(
            Resume(wal, tide, encoders, partial(earlier.settled, rules)),
            later=wal.recovered.undecided if config.tail else (),
        )
        meters.behind.set_function(lambda: delivery.on_disk)

        sampler = _sampler(config, wal, delivery, registry)
        keep = await _sampling(opened, sampler, encoder, store) if sampler else delivery.keep
        ingest = Ingest(encoder, keep, Repeats(wal.batches, drops.repeated), drops)
        budget = Budget(config.requests.under_way_bytes)
        meters.held.set_function(lambda: budget.held)

        ports |= await _receivers(opened, config, ingest, budget, meters)

        if config.own_spans:
            await opened.enter_async_context(_reporting(reporter, ingest))
        # The log lies on the same disk as the tables only when these are here.
        also = (lambda: wal.size) if doors else (lambda: 0)
        await _watches(opened, config, registry, store, ingest, also)
        if doors and config.pair_s:  # a server may have several collectors, of which one only may count
            pairs = Pairs(store, store.ask, tide.until, config.pair_s)
            await opened.enter_async_context(beside(pairs.watch(), "pairs"))

        admin.ready = True
        log.info(
            "ready: %s", ", ".join(f"{name} {port}" for name, port in ports.items()), extra={"fields": {"ports": ports}}
        )
        await stop.wait()
        admin.ready = False
        writers.hurry()
        log.info("stopping: what was accepted is stored first")
    log.info("stopped")


def _sampler(config: Config, wal: Log, delivery: Delivery, registry: CollectorRegistry) -> Sampler | None:
    """None when everything is stored."""
    if config.tail is None:
        return None
    return Sampler(config.tail.tail(config.wal.limit_bytes), wal, delivery, Figures(registry))


async def _sampling(opened: contextlib.AsyncExitStack, sampler: Sampler, encoder: Encoder, store: Store) -> Keep:
    """Decides until the stack unwinds which spans are stored; returns what takes requests meanwhile."""
    await sampler.resume(encoder)
    await opened.enter_async_context(beside(sampler.watch(), "tail"))
    await opened.enter_async_context(beside(named(store.ask, sampler.name), "named"))
    return sampler.keep


async def _receivers(
    opened: contextlib.AsyncExitStack, config: Config, ingest: Ingest, budget: Budget, meters: Meters
) -> dict[str, int]:
    """Opens the doors that take telemetry; returns their ports. Raises CannotListen, ConfigRefused."""
    ports, listen = {}, config.listen
    tenants = Tenants([read_terms(one.name, one.token_file, one.identities, one.bytes_per_s) for one in config.tenants])
    meters.sent_by(tenants.all)
    tls = Tls("tls", config.tls.certificate, config.tls.key, config.tls.client_ca) if config.tls else None
    if tls is not None:
        await opened.enter_async_context(beside(tls.watch(), "renew"))
    http = HttpReceiver(ingest, budget, tenants, config.requests.body_s).application()
    ports["http"] = await _serve(opened, "http", listen.http, http, tls=tls, raw_bodies=True)
    if listen.zipkin is not None:
        zipkin = ZipkinReceiver(ingest, budget, tenants, config.requests.body_s).application()
        ports["zipkin"] = await _serve(opened, "zipkin", listen.zipkin, zipkin, tls=tls, raw_bodies=True)
    grpc = GrpcReceiver(ingest, budget, tenants, config.requests.grpc_calls, config.requests.body_s)
    ports["grpc"] = await grpc.start(listen.grpc, tls)
    opened.push_async_callback(grpc.stop, GRACE_S)
    return ports


async def _watches(
    opened: contextlib.AsyncExitStack,
    config: Config,
    registry: CollectorRegistry,
    store: Store,
    ingest: Ingest,
    also: Callable[[], int],
) -> None:
    """Starts what looks after the store while it is served."""
    if config.canary_s:
        take = partial(ingest.take, Signal.TRACES, form=Form(own=True))
        canary = Canary(registry, take, store.ask)
        await opened.enter_async_context(beside(canary.sing(config.canary_s), "canary"))
    keeper = Keeper(registry, store, Terms(config.keep.days.by_kind(), config.keep.disk), also)
    await opened.enter_async_context(beside(keeper.watch(), "keep"))
    if config.keep.matters is not None:
        thinner = Thinner(registry, store, store.ask, config.keep.matters)
        await opened.enter_async_context(beside(thinner.watch(), "thin"))
    captured = Captured(registry)
    await opened.enter_async_context(beside(captured.watch(store.ask), "captured"))


async def _serve(
    opened: contextlib.AsyncExitStack,
    flag: str,
    address: str,
    application: web.Application,
    *,
    tls: Tls | None = None,
    raw_bodies: bool = False,
) -> int:
    """Serves an application until the stack unwinds, then waits for its requests; returns the port."""
    runner = web.AppRunner(
        application, access_log=None, auto_decompress=not raw_bodies, shutdown_timeout=GRACE_S if raw_bodies else 0.5
    )
    await runner.setup()
    opened.push_async_callback(runner.cleanup)
    with listening(flag, address):
        await web.TCPSite(runner, *host_port(address), ssl_context=tls.context if tls else None).start()
    port: int = runner.addresses[0][1]
    return port


@contextlib.asynccontextmanager
async def _reporting(reporter: Reporter, ingest: Ingest) -> AsyncIterator[None]:
    """Takes own spans until the stack unwinds, then those that are left; inserting these makes no more."""
    loop = asyncio.get_running_loop()

    def take(body: bytes) -> None:
        asyncio.run_coroutine_threadsafe(ingest.take(Signal.TRACES, body, Form(own=True)), loop).result(OWN_SPANS_S)

    provider = own_spans(take)
    reporter.tracer = provider.get_tracer(SCOPE)
    try:
        yield
    finally:
        reporter.tracer = None
        await asyncio.to_thread(provider.shutdown)


def _encoder(threads: Executor, config: Config, rules: str) -> Encoder:
    return Encoder(threads, config.requests.limit_bytes, rules, facts=config.tail is not None)


def _limits(config: Config) -> Limits:
    write = config.write
    return Limits(write.rows, write.bytes, write.wait_ms / 1000, write.queue_bytes, write.stop_ms / 1000)


def _policy(config: Config) -> Policy:
    wal = config.wal
    return Policy(wal.fsync, wal.interval_ms / 1000, wal.limit_bytes, wal.segment_bytes, wal.batches)


if __name__ == "__main__":
    command()
