"""`python -m tests.bench.collecting`: what storing a span costs us, and the OpenTelemetry Collector with its exporter.

In: the same requests (recorded spans where there are some) over OTLP/HTTP, gzip as SDKs send them, from a few senders
at once. Both store over the native protocol into one ClickHouse: an embedded store behind our door, a process of its
own. Out: spans per CPU-second of the collector's process from the first request to the last row, and its most resident
memory. Ours answers when a request is in its write-ahead log (`fsync: always`), the other when it is in its memory.
"""

from __future__ import annotations

import contextlib
import gzip
import http.client
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import click
from clickhouse_driver import Client

from collector._columnar import BUILD_PROFILE, encode_traces
from tests.bench.measure import cpu_s, peak_mb, tree
from tests.bench.recorded_spans import requests_of
from tests.bench.results import Column, Findings, Table, Target, verdicts
from tests.world.collectors import collector
from tests.world.homes import served_elsewhere
from tests.world.processes import Program, free_port, until
from tests.world.stores import StoreProcess

SPANS = 200_000
SENDERS = 4
PATIENCE_S = 300.0
_ROOT = Path(__file__).parents[2]
_SOURCE = Path(__file__).parent / "otelcol"
_BINARY = _ROOT / "target" / "otelcol"
_CONFIG = """\
receivers:
  otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{port}", max_request_body_size: 67108864}}}}}}
processors:
  batch: {{send_batch_size: 50000, timeout: 200ms}}
exporters:
  clickhouse:
    endpoint: "tcp://127.0.0.1:{store}"
    username: owner
    database: otel
    create_schema: false
    async_insert: false
service:
  telemetry: {{metrics: {{level: none}}, logs: {{level: warn}}}}
  pipelines: {{traces: {{receivers: [otlp], processors: [batch], exporters: [clickhouse]}}}}
"""


@dataclass(frozen=True)
class Cost:
    """What one collector used for all spans."""

    spans_per_cpu_s: float
    spans_per_s: float
    peak_mb: float


@dataclass(frozen=True)
class Serving:
    """A collector that runs: its process, and the port of OTLP over HTTP."""

    pid: int
    port: int


Start = Callable[[Path, int], contextlib.AbstractContextManager[Serving]]


def measure(spans: int = SPANS) -> Findings:
    """Both collectors in turn, and our encoder alone."""
    if BUILD_PROFILE != "release":
        raise SystemExit(f"the encoder is a {BUILD_PROFILE} build: its figures mean nothing; run make bench")
    binary = _built()
    ours, theirs = (_cost(start, spans) for start in (_whymesh, _otelcol(binary)))
    encoder = _encoder(spans)
    table = Table(
        title=f"{spans:,} spans from OTLP/HTTP (gzip) to rows in a ClickHouse of another process",
        columns=(
            Column(head="collector"),
            Column(head="spans/CPU-s"),
            Column(head="ratio", form=".2f", unit="x"),
            Column(head="spans/s"),
            Column(head="peak RSS MB"),
        ),
        rows=tuple(
            (name, one.spans_per_cpu_s, ours.spans_per_cpu_s / one.spans_per_cpu_s, one.spans_per_s, one.peak_mb)
            for name, one in (("whymesh, write-ahead log on", ours), ("OpenTelemetry Collector", theirs))
        ),
    )
    alone = Table(
        title="OTLP protobuf to Native blocks, our encoder alone, one thread",
        columns=(Column(head="encoder"), Column(head="spans/CPU-s")),
        rows=(("whymesh", encoder),),
    )
    targets = (
        Target(
            what="spans stored per CPU-second, over the OpenTelemetry Collector",
            measured=ours.spans_per_cpu_s / theirs.spans_per_cpu_s,
            target=4,
            stretch=8,
        ),
        Target(
            what="peak memory of the collector, of the OpenTelemetry Collector's",
            measured=ours.peak_mb / theirs.peak_mb,
            target=0.5,
            bound="at most",
        ),
        Target(what="encoder alone, thousand spans per CPU-second", measured=encoder / 1e3, target=460, unit=""),
    )
    return Findings(section="collector", tables=(table, alone), targets=targets)


def _cost(start: Start, spans: int) -> Cost:
    with tempfile.TemporaryDirectory(prefix="whymesh-collecting-") as folder:
        bodies, sent = _bodies(spans)
        with served_elsewhere(Path(folder) / "store", tables=True) as store, start(Path(folder), store.port) as serving:
            pids = tree(serving.pid)
            before, begun = cpu_s(pids), time.monotonic()
            _send_all(serving.port, bodies)
            until(lambda: _rows(store) >= sent, f"{sent} rows", PATIENCE_S)
            cost = Cost(sent / (cpu_s(pids) - before), sent / (time.monotonic() - begun), sum(map(peak_mb, pids)))
            assert _rows(store) == sent, "every span is a row, once"
    return cost


def _bodies(spans: int) -> tuple[list[bytes], int]:
    """Requests with this many spans or a few more, compressed, and how many they are."""
    bodies, made = [], 0
    for request, held in requests_of():
        bodies.append(gzip.compress(request, 6))
        made += held
        if made >= spans:
            break
    return bodies, made


def _send_all(port: int, bodies: Sequence[bytes]) -> None:
    threads = [threading.Thread(target=_send, args=(port, bodies[place::SENDERS])) for place in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _send(port: int, share: Sequence[bytes]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}
    for body in share:
        for attempt in count():  # a full queue answers 503: as an exporter would, try again
            connection.request("POST", "/v1/traces", body, headers)
            with connection.getresponse() as response:
                said = response.read()
                if response.status == 200:
                    break
                assert response.status in {429, 503}, said
                assert attempt < 100, said
            time.sleep(0.2)
    connection.close()


def _rows(store: StoreProcess) -> int:
    with Client("127.0.0.1", store.port) as client:
        return int(client.execute("SELECT count() FROM otel.otel_traces")[0][0])


@contextlib.contextmanager
def _whymesh(folder: Path, store: int) -> Iterator[Serving]:
    config = folder / "collector.yaml"
    config.write_text("own_spans: false\ncanary_s: 0\n")
    flags = ("--config", str(config), "--store", f"clickhouse://owner@127.0.0.1:{store}/otel")
    with collector(folder / "ours", *flags) as served:
        yield Serving(served.process.pid, served.ports["http"])


def _otelcol(binary: Path) -> Start:
    @contextlib.contextmanager
    def start(folder: Path, store: int) -> Iterator[Serving]:
        port, config = free_port(), folder / "otelcol.yaml"
        config.write_text(_CONFIG.format(port=port, store=store))
        program = Program(str(binary), "--config", f"file:{config}", log=folder / "otelcol.log")
        try:
            until(lambda: program.ended() is not None or _takes(port), "the OpenTelemetry Collector to answer")
            assert program.ended() is None, program.output()
            yield Serving(program.pid, port)
        finally:
            program.kill()

    return start


def _takes(port: int) -> bool:
    """Whether somebody answers an empty request of traces."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("POST", "/v1/traces", b"", {"Content-Type": "application/x-protobuf"})
        with connection.getresponse() as response:
            return response.status == 200
    except OSError:
        return False


def _encoder(spans: int) -> float:
    """Spans per CPU-second of one thread; every request is encoded as it comes, from its gzip body's content."""
    made, spent = 0, 0.0
    for request, held in requests_of():
        before = time.thread_time()
        encode_traces(request)
        spent += time.thread_time() - before
        made += held
        if made >= spans:
            return made / spent
    raise AssertionError("requests never end")


def _built() -> Path:
    """The OpenTelemetry Collector from its Go modules, built once for each of their versions."""
    go = shutil.which("go") or "/usr/local/go/bin/go"
    if not Path(go).exists():
        raise SystemExit("Go is missing: the OpenTelemetry Collector is built from its modules (https://go.dev/dl)")
    sources = ("go.mod", "go.sum", "main.go")
    newest = max((_SOURCE / name).stat().st_mtime for name in sources)
    if not _BINARY.exists() or _BINARY.stat().st_mtime < newest:
        click.echo("  building the OpenTelemetry Collector (some minutes the first time)", err=True)
        _BINARY.parent.mkdir(exist_ok=True)
        subprocess.run(
            [go, "build", "-trimpath", "-o", str(_BINARY), "."],
            cwd=_SOURCE,
            env={**os.environ, "CGO_ENABLED": "0"},
            check=True,
        )
    return _BINARY


@click.command()
@click.option("--spans", default=SPANS, show_default=True)
def main(spans: int) -> None:
    """Store the same spans with our collector and with the OpenTelemetry Collector."""
    found = measure(spans)
    for table in found.tables:
        click.echo(f"\n{table.title}\n\n{table.markdown()}")
    click.echo(f"\n{verdicts(found.targets)}")


if __name__ == "__main__":
    main()
