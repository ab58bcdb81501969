"""Both receivers on real sockets, before a log that a test can steer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from aiohttp import web
from prometheus_client import CollectorRegistry

from collector import _columnar as columnar
from collector.drops import Drops
from collector.encode import Encoder
from collector.ingest import Ingest
from collector.receive.budget import Budget
from collector.receive.otlp_grpc import GrpcReceiver
from collector.receive.otlp_http import HttpReceiver
from collector.receive.repeats import Repeats
from collector.receive.request import Request, Taken
from collector.receive.tenants import Tenants, Terms
from collector.receive.zipkin_http import ZipkinReceiver
from collector.wal.batches import Batches

LIMIT = 200_000


@dataclass
class Receiving:
    """Where the receivers listen, what was kept, what the next requests wait for, and the error they end with."""

    http: str = ""
    grpc: str = ""
    zipkin: str = ""
    rows: int = 0
    running: int = 0
    tables: set[str] = field(default_factory=set)
    error: Exception | None = None
    gate: asyncio.Event | None = None
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    async def keep(self, request: Request, encoded: columnar.Encoded, taken: Taken) -> None:
        if self.error is not None:
            raise self.error
        self.running += 1
        if self.gate is not None:
            await self.gate.wait()
        self.running -= 1
        self.rows += sum(block.rows for block in encoded.blocks)
        self.tables.update({block.table for block in encoded.blocks})

    def dropped(self, signal: str, cause: str) -> float:
        labels = {"signal": signal, "cause": cause}
        return self.registry.get_sample_value("whymesh_collector_dropped_items_total", labels) or 0

    def refused(self, signal: str, cause: str) -> float:
        labels = {"signal": signal, "cause": cause}
        return self.registry.get_sample_value("whymesh_collector_refused_requests_total", labels) or 0


@contextlib.asynccontextmanager
async def receiving(
    *,
    tenants: Sequence[Terms] = (),
    under_way_bytes: int = 10 * LIMIT,
    body_s: float = 60,
    grpc_address: str = "127.0.0.1:0",
    grpc_calls: int = 256,
) -> AsyncIterator[Receiving]:
    parts = Receiving()
    with ThreadPoolExecutor(1) as threads:
        drops = Drops(parts.registry)
        ingest = Ingest(Encoder(threads, LIMIT), parts.keep, Repeats(Batches(10), drops.repeated), drops)
        budget, senders = Budget(under_way_bytes), Tenants(tenants)
        runner = web.AppRunner(HttpReceiver(ingest, budget, senders, body_s).application(), auto_decompress=False)
        zipkin = web.AppRunner(ZipkinReceiver(ingest, budget, senders, body_s).application(), auto_decompress=False)
        grpc = GrpcReceiver(ingest, budget, senders, grpc_calls, body_s)
        try:
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            parts.http = f"http://127.0.0.1:{runner.addresses[0][1]}"
            await zipkin.setup()
            await web.TCPSite(zipkin, "127.0.0.1", 0).start()
            parts.zipkin = f"http://127.0.0.1:{zipkin.addresses[0][1]}"
            parts.grpc = f"127.0.0.1:{await grpc.start(grpc_address)}"
            yield parts
        finally:
            await grpc.stop(1)
            await runner.cleanup()
            await zipkin.cleanup()
        assert budget.held == 0, "every request gives its bytes back"
