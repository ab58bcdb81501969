"""Acknowledged spans become rows exactly once, however the collector ends and however often they are sent."""

from __future__ import annotations

import http.client
import os
import threading
import time
from pathlib import Path

from tests.world import otlp_requests as world
from tests.world.collectors import Collector, collector
from tests.world.processes import free_port, until

SPANS = 50
DAYS = 20
EARLIER = "requests of an earlier run are in the log"
ROWS = "SELECT count() FROM otel.otel_traces"
# WHYMESH_KILLS=20 for the long form.
KILLS = int(os.environ.get("WHYMESH_KILLS", "4"))


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
    served.settle()
    rows = served.query("SELECT SpanId FROM otel.otel_traces WHERE ServiceName = 'lost-and-found'")
    return [span_id for (span_id,) in rows]


def send_from(served: Collector, count: int) -> list[Sender]:
    senders = [Sender(served.ports["http"]) for _ in range(count)]
    for sender in senders:
        sender.start()
    return senders


class Stubborn(threading.Thread):
    """Sends each request until it is answered, whatever becomes of the collector; spans are calls on one edge."""

    def __init__(self, port: int, ended: threading.Event) -> None:
        super().__init__()
        self._port = port
        self._ended = ended
        self.acknowledged = 0

    def run(self) -> None:
        edge = [world.attribute("mesh.source.service", "a"), world.attribute("mesh.destination.service", "b")]
        while not self._ended.is_set():
            spans = [world.span(attributes=edge) for _ in range(SPANS)]
            body = world.request(*spans, service="lost-and-found").SerializeToString()
            until(lambda body=body: self._taken(body), "an answer", 90)  # type: ignore[misc]
            self.acknowledged += SPANS

    def _taken(self, body: bytes) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            connection.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
            with connection.getresponse() as response:
                response.read()
                return response.status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def test_killed_again_and_again_while_senders_repeat_what_was_not_answered(tmp_path: Path) -> None:
    config = tmp_path / "collector.yaml"
    # Inserts and segments follow one another closely, so that each end comes in the middle of something.
    config.write_text("write: {wait_ms: 5}\nwal: {segment_bytes: 65536}\nown_spans: false\n")
    port, ended = free_port(), threading.Event()
    arguments = ("--config", str(config), "--http", f"127.0.0.1:{port}")
    senders = [Stubborn(port, ended) for _ in range(4)]
    for sender in senders:
        sender.start()
    try:
        for _ in range(KILLS):
            with collector(tmp_path, *arguments) as served:
                before = sum(sender.acknowledged for sender in senders)
                until(lambda before=before: sum(one.acknowledged for one in senders) > before + 800, "answers")  # type: ignore[misc]
                served.process.kill()
    finally:
        ended.set()
    with collector(tmp_path, *arguments) as served:
        for sender in senders:
            sender.join()
        found = stored(served)
        calls = served.query("SELECT sum(Calls) FROM otel.mesh_edges WHERE Source = 'a' AND Destination = 'b'")
    sent = sum(sender.acknowledged for sender in senders)
    assert (len(found), len(set(found)), calls) == (sent, sent, [(sent,)])


def test_killed_between_the_days_of_a_request(tmp_path: Path) -> None:
    """What is there is decided by partition: a request whose rows lie on many days may be stored in part."""
    config = tmp_path / "collector.yaml"
    config.write_text("write: {wait_ms: 0}\nown_spans: false\ncanary_s: 0\n")
    edge = [world.attribute("mesh.source.service", "a"), world.attribute("mesh.destination.service", "b")]
    sent = 0
    while True:
        with collector(tmp_path, "--config", str(config)) as served:
            found = stored(served)
            if EARLIER in served.process.output():  # the kill came in the middle
                calls = served.query("SELECT sum(Calls) FROM otel.mesh_edges WHERE Source = 'a' AND Destination = 'b'")
                break
            assert sent < 50 * DAYS, "a kill came in the middle"
            spans = [
                world.span(attributes=edge, start_time_unix_nano=(19_000 + place % DAYS) * 86_400 * 10**9)
                for place in range(5 * DAYS)
            ]
            assert served.send(world.request(*spans, service="lost-and-found").SerializeToString()) == 200
            sent, before = sent + len(spans), len(found)
            until(lambda before=before: served.query(ROWS)[0][0] > before, "the first rows")  # type: ignore[misc]
            served.process.kill()
    assert (len(found), len(set(found)), calls) == (sent, sent, [(sent,)])


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
        until(lambda: served.metric("whymesh_collector_waiting_bytes") > 0, "a request that waits")
        started = time.monotonic()
        assert served.process.terminate() == 0
        assert time.monotonic() - started < 30
        sender.join()
    assert len(sender.acknowledged) >= SPANS
    with collector(tmp_path) as served:
        assert sorted(stored(served)) == sorted(sender.acknowledged)
