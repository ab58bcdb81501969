"""Acknowledged spans are in the store exactly once after a kill; accepted ones are after a stop.

An answer means: the rows are in parts of a MergeTree on the file system. That outlives the process however it ends; it
outlives the machine's power once the kernel has written its cache back, which ClickHouse leaves to it by default.
"""

from __future__ import annotations

import http.client
import threading
import time
from pathlib import Path

import pytest

from tests.world import otlp_requests as world
from tests.world.collectors import Collector, collector
from tests.world.processes import get, until

SPANS = 50


class Sender(threading.Thread):
    """Sends requests one after the other until nobody answers; each carries spans of its own."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=90)
        self.acknowledged: list[str] = []
        self.failed: list[int] = []

    def run(self) -> None:
        try:
            while self._send():
                pass
        finally:
            self._connection.close()

    def _send(self) -> bool:
        spans = [world.span() for _ in range(SPANS)]
        body = world.request(*spans, service="lost-and-found").SerializeToString()
        try:
            self._connection.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
            with self._connection.getresponse() as response:
                status = response.status
                response.read()
        except (OSError, http.client.HTTPException):
            return False
        if status != 200:
            self.failed.append(status)
            return False
        self.acknowledged.extend(span.span_id.hex() for span in spans)
        return True


def stored(served: Collector) -> list[str]:
    rows = served.query("SELECT SpanId FROM otel.otel_traces WHERE ServiceName = 'lost-and-found'")
    return [span_id for (span_id,) in rows]


def send_from(served: Collector, count: int) -> list[Sender]:
    senders = [Sender(served.ports["http"]) for _ in range(count)]
    for sender in senders:
        sender.start()
    return senders


@pytest.mark.parametrize("killed_after", [150, 1_000])
def test_killed_under_load(tmp_path: Path, killed_after: int) -> None:
    with collector(tmp_path) as served:
        senders = send_from(served, 4)
        until(lambda: sum(len(sender.acknowledged) for sender in senders) >= killed_after, "answers")
        served.process.kill()
        for sender in senders:
            sender.join()
    acknowledged = [span_id for sender in senders for span_id in sender.acknowledged]
    with collector(tmp_path) as served:
        found = stored(served)
    assert set(acknowledged) <= set(found), "acknowledged means stored"
    assert len(found) == len(set(found)), "nothing is stored twice"
    assert len(found) - len(acknowledged) <= 4 * SPANS, "only what was under way may be there unanswered"


def test_stopped_under_load(tmp_path: Path) -> None:
    with collector(tmp_path) as served:
        senders = send_from(served, 4)
        until(lambda: sum(len(sender.acknowledged) for sender in senders) >= 500, "answers")
        assert served.process.terminate() == 0
        for sender in senders:
            sender.join()
    acknowledged = [span_id for sender in senders for span_id in sender.acknowledged]
    assert [sender.failed for sender in senders] == [[]] * 4, "nobody is turned away for a stop"
    with collector(tmp_path) as served:
        found = stored(served)
    assert sorted(found) == sorted(acknowledged)


def test_what_waits_for_company_is_stored_at_once_when_stopped(tmp_path: Path) -> None:
    config = tmp_path / "collector.yaml"
    config.write_text("write: {wait_ms: 60000}\nown_spans: false\n")
    with collector(tmp_path, "--config", str(config)) as served:
        sender = Sender(served.ports["http"])
        sender.start()
        metrics = served.url("metrics", "/metrics")
        until(lambda: waiting_bytes(metrics) > 0, "a request that waits")
        started = time.monotonic()
        assert served.process.terminate() == 0
        assert time.monotonic() - started < 30
        sender.join()
    assert len(sender.acknowledged) == SPANS
    with collector(tmp_path) as served:
        assert sorted(stored(served)) == sorted(sender.acknowledged)


def waiting_bytes(url: str) -> float:
    name = "whymesh_collector_waiting_bytes "
    (line,) = [line for line in get(url)[1].splitlines() if line.startswith(name)]
    return float(line.removeprefix(name))
