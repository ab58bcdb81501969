"""A collector that samples: an SDK sends, the clock jumps, processes end, and what matters is there whole and once."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

from tests.collector.test_clock import jumping
from tests.collector.test_nothing_lost import Stubborn
from tests.world.collectors import Collector, collector
from tests.world.processes import free_port, until

WAITING = "whymesh_collector_tail_waiting_spans"
LASTS = "tail: {wait_s: 45, sample: 0, rare: 0}\nown_spans: false\ncanary_s: 0\n"
SHORT = "tail: {wait_s: 0.1, sample: 0, rare: 0}\nown_spans: false\ncanary_s: 0\n"
KILLS = int(os.environ.get("WHYMESH_KILLS", "2"))


def requests_of_a_shop(served: Collector) -> None:
    """Two traces of two spans each; of one the first span to begin fails, and comes in a batch of its own."""
    provider = TracerProvider(resource=Resource({"service.name": "shop"}))
    exporter = OTLPSpanExporter(endpoint=served.url("http", "/v1/traces"))
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=60_000))
    tracer = provider.get_tracer("app")
    for name in ("fine", "fails"):
        with tracer.start_as_current_span(name, kind=SpanKind.SERVER) as parent:
            with tracer.start_as_current_span(f"{name} below"):
                pass
            assert provider.force_flush()
            if name == "fails":
                parent.set_status(Status(StatusCode.ERROR))
    provider.shutdown()


def test_a_failing_trace_is_whole_after_a_kill_a_stop_and_a_clock_that_jumps(tmp_path: Path) -> None:
    config = tmp_path / "collector.yaml"
    config.write_text(LASTS)
    with collector(tmp_path, "--config", str(config), launch=jumping) as served:
        requests_of_a_shop(served)
        os.kill(served.process.pid, signal.SIGUSR1)
        until(lambda: served.metric(WAITING) == 4, "four spans to wait")
        assert served.query("SELECT count() FROM otel.otel_traces") == [(0,)]
        served.process.kill()
    with collector(tmp_path, "--config", str(config)) as served:
        until(lambda: served.metric(WAITING) == 4, "four spans to wait again")
        assert served.process.terminate() == 0
    config.write_text(SHORT)
    with collector(tmp_path, "--config", str(config)) as served:
        served.settle()
        rows = served.query("SELECT SpanName, count() FROM otel.otel_traces GROUP BY SpanName ORDER BY SpanName")
    assert rows == [("fails", 1), ("fails below", 1)]


def test_killed_under_load_every_span_is_counted_once(tmp_path: Path) -> None:
    config = tmp_path / "collector.yaml"
    terms = "tail: {wait_s: 0.1, sample: 0.5, rare: 0}\n"
    config.write_text(f"{terms}write: {{wait_ms: 5}}\nwal: {{segment_bytes: 65536}}\nown_spans: false\ncanary_s: 0\n")
    port, ended = free_port(), threading.Event()
    arguments = ("--config", str(config), "--http", f"127.0.0.1:{port}")
    senders = [Stubborn(port, ended) for _ in range(3)]
    for sender in senders:
        sender.start()
    try:
        for _ in range(KILLS):
            with collector(tmp_path, *arguments) as served:
                before = sum(sender.acknowledged for sender in senders)
                until(lambda before=before: sum(one.acknowledged for one in senders) > before + 600, "answers")  # type: ignore[misc]
                until(lambda: served.query("SELECT count() FROM otel.otel_traces")[0][0] > 0, "rows")
                served.process.kill()
    finally:
        ended.set()
    with collector(tmp_path, *arguments) as served:
        for sender in senders:
            sender.join()
        served.settle()
        ((rows, ids, weight),) = served.query(
            "SELECT count(), uniqExact(SpanId), sum(toFloat64OrZero(SpanAttributes['mesh.adjusted_count']))"
            " FROM otel.otel_traces WHERE ServiceName = 'lost-and-found'"
        )
        calls = served.query("SELECT sum(Calls) FROM otel.mesh_edges WHERE Source = 'a' AND Destination = 'b'")
    sent = sum(sender.acknowledged for sender in senders)
    assert (rows, calls) == (ids, [(sent,)])
    assert 0.7 * sent < weight < 1.3 * sent
