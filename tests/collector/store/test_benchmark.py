"""`clickhouse-benchmark` (Debian: clickhouse-tools), a C++ client that keeps many connections busy at one time."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.collector.store.spans import mesh_block
from tests.world.processes import until
from tests.world.stores import ServedStore

BENCHMARK = "clickhouse-benchmark"
QUERIES = (
    "SELECT count() FROM otel_traces",
    "SELECT Source, Destination, sum(Calls) FROM mesh_edges GROUP BY ALL",
    "SELECT ServiceName, SpanAttributes['mesh.route'], toString(Timestamp) FROM otel_traces LIMIT 5",
    "SELECT number, toString(number) FROM numbers(20000)",
    "SELECT quantilesDDMerge(0.01, 0.5, 0.99)(Durations) FROM mesh_edges",
    "SHOW TABLES",
)
ENDLESS = "SELECT count() FROM numbers(1000000000000) SETTINGS max_threads = 1"

pytestmark = pytest.mark.skipif(
    shutil.which(BENCHMARK) is None, reason="clickhouse-benchmark is not installed (apt-get install clickhouse-tools)"
)


def command(served: ServedStore, *options: str) -> list[str]:
    return [BENCHMARK, "-h", "127.0.0.1", "--port", str(served.native_port), "--database", "otel", *options]


def benchmark(served: ServedStore, queries: tuple[str, ...], *options: str) -> subprocess.CompletedProcess[str]:
    """Runs the queries to their end; reports come on stderr."""
    lines = "".join(f"{query}\n" for query in queries)
    return subprocess.run(
        command(served, *options), input=lines, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize("method", ["lz4", "zstd"])
def test_many_connections_ask_in_any_order(served: ServedStore, method: str) -> None:
    served.call(served.store.insert("otel_traces", [mesh_block(50)]))
    options = ("--randomize", "1", "--delay", "0", "--network_compression_method", method)
    done = benchmark(served, QUERIES, "--iterations", "60", "--concurrency", "12", *options)
    assert done.returncode == 0, done.stderr
    assert "Queries executed: 60 " in done.stderr + done.stdout
    assert served.running_queries() == 0


def test_a_query_that_fails_is_told_with_its_code(served: ServedStore) -> None:
    done = benchmark(served, ("SELECT * FROM nowhere",), "--iterations", "1", "--delay", "0")
    assert done.returncode != 0
    assert "UNKNOWN_TABLE" in done.stderr + done.stdout


def test_a_benchmark_that_is_ended_takes_its_queries_with_it(served: ServedStore) -> None:
    options = ("--iterations", "100", "--concurrency", "4", "--delay", "0")
    with subprocess.Popen(command(served, *options), stdin=subprocess.PIPE, text=True) as running:
        assert running.stdin is not None
        running.stdin.write(f"{ENDLESS}\n")
        running.stdin.close()
        until(lambda: served.running_queries() == 4, "four queries to start")
        running.kill()
    until(lambda: served.running_queries() == 0, "the queries to end with their clients")
