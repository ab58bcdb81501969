"""The proxies and the collector understand each other over HTTP and gRPC, whatever compression is asked for."""

from __future__ import annotations

from pathlib import Path

from tests.proxy.engine.test_export import calls, dropped
from tests.world.collectors import collector
from tests.world.engines import sidecar
from tests.world.processes import until


async def test_every_form_reaches_the_store(tmp_path: Path) -> None:
    forms = [(protocol, compression) for protocol in ("http", "grpc") for compression in ("none", "gzip", "zstd")]
    with collector(tmp_path) as served:
        for protocol, compression in forms:
            export = {"protocol": protocol, "compression": compression}
            async with sidecar(
                f"{protocol}-{compression}", calls=(), telemetry=served.url(protocol), export=export
            ) as one:
                await calls(one, 50)
                await one.idle()
                assert dropped(one) == {}
        counted = "SELECT ServiceName, uniqExact(SpanId) FROM otel.otel_traces WHERE ServiceName LIKE '%-%' GROUP BY 1"
        wanted = {f"{protocol}-{compression}": 50 for protocol, compression in forms}
        until(lambda: wanted.items() <= dict(served.query(counted)).items(), f"{wanted} in the store")
