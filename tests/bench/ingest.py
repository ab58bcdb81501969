"""`python -m tests.bench.ingest`: what storing a span costs the collector, from OTLP request to row.

In: requests of so many spans each, zstd-compressed as proxies send them, from a few senders at once. Out: one line of
JSON: spans per second of the collector's CPU and of the clock, its most resident memory, and rows against spans sent.
"""

from __future__ import annotations

import http.client
import json
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import zstandard

from tests.bench.measure import cpu_s, peak_mb, tree
from tests.world import otlp_requests as world
from tests.world.collectors import Collector, collector

SERVICE = "bench"
_ATTRIBUTES = {
    "http.request.method": "GET",
    "http.response.status_code": "200",
    "http.route": "/checkout/{id}",
    "url.path": "/checkout/31415",
    "mesh.source.service": "front",
    "mesh.destination.service": "checkout",
    "mesh.destination.version": "v2",
    "mesh.route": "checkout",
    "mesh.time.connect_us": "110",
    "network.protocol.version": "1.1",
}


@dataclass(frozen=True)
class Figures:
    """What one run showed."""

    spans: int
    rows: int
    seconds: float
    spans_per_s: int
    spans_per_cpu_s: int
    peak_rss_mb: int


def bodies(requests: int, spans: int) -> list[bytes]:
    """Requests whose spans all have ids of their own, and lie one after the other in time."""
    attributes = [world.attribute(key, value) for key, value in _ATTRIBUTES.items()]
    made = []
    for request in range(requests):
        sent = []
        for place in range(spans):
            at = time.time_ns() + request * 1_000_000 + place
            span = world.span("GET /checkout/{id}", start_time_unix_nano=at, end_time_unix_nano=at + 3_000_000)
            span.attributes.extend(attributes)
            sent.append(span)
        made.append(zstandard.compress(world.request(*sent, service=SERVICE).SerializeToString()))
    return made


def _send(port: int, share: list[bytes]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "zstd"}
    for body in share:
        connection.request("POST", "/v1/traces", body, headers)
        with connection.getresponse() as response:
            said = response.read()
            assert response.status == 200, said
    connection.close()


def _rows(served: Collector) -> int:
    counted: int = served.query(f"SELECT count() FROM otel.otel_traces WHERE ServiceName = '{SERVICE}'")[0][0]
    return counted


def measure(requests: int, spans: int, senders: int, folder: Path, sample: float | None = None) -> Figures:
    """One run against a collector of its own; ends when every span is stored or, with tail sampling, counted."""
    made = bodies(requests, spans)
    config = folder / "collector.yaml"
    config.write_text("" if sample is None else f"tail: {{sample: {sample}}}\n")
    with collector(folder, "--config", str(config)) as served:
        pids = tree(served.process.pid)
        before, begun = cpu_s(pids), time.monotonic()
        threads = [
            threading.Thread(target=_send, args=(served.ports["http"], made[place::senders]))
            for place in range(senders)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # Asked seldom: what is asked costs the collector, too.
        while served.metric("whymesh_collector_log_requests"):
            time.sleep(0.5)
        seconds, cpu = time.monotonic() - begun, cpu_s(pids) - before
        return Figures(
            spans=requests * spans,
            rows=_rows(served),
            seconds=round(seconds, 2),
            spans_per_s=round(requests * spans / seconds),
            spans_per_cpu_s=round(requests * spans / cpu),
            peak_rss_mb=peak_mb(served.process.pid),
        )


@click.command()
@click.option("--requests", default=400, show_default=True)
@click.option("--spans", default=1000, show_default=True, help="Spans of a request.")
@click.option("--senders", default=4, show_default=True)
@click.option("--tail", type=float, help="Tail sampling that stores this share of them.  [default: all are stored]")
def main(requests: int, spans: int, senders: int, tail: float | None) -> None:
    """Measure the cost of a span from request to row."""
    with tempfile.TemporaryDirectory(prefix="whymesh-ingest-") as folder:
        click.echo(json.dumps(asdict(measure(requests, spans, senders, Path(folder), tail))))


if __name__ == "__main__":
    main()
