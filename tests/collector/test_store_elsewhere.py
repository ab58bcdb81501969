"""`whymesh collector --store clickhouse://...`: what is sent to it is in the server's tables, exactly once."""

from __future__ import annotations

import os
import signal
import urllib.request
from pathlib import Path

from clickhouse_driver import Client

from tests.world import otlp_requests as world
from tests.world.collectors import Collector, collector
from tests.world.homes import served_elsewhere
from tests.world.processes import running, until
from tests.world.stores import StoreProcess


def send(served: Collector, service: str) -> None:
    body = world.request(*(world.span() for _ in range(20)), service=service).SerializeToString()
    headers = {"Content-Type": "application/x-protobuf"}
    with urllib.request.urlopen(urllib.request.Request(served.url("http", "/v1/traces"), body, headers)) as answer:
        assert answer.status == 200


def spans(server: StoreProcess, service: str) -> int:
    with Client("127.0.0.1", server.port) as client:
        sql = "SELECT count() FROM otel.otel_traces WHERE ServiceName = %(service)s"
        (count,) = client.execute(sql, {"service": service})[0]
        return int(count)


def test_spans_go_to_the_server_also_those_from_while_it_was_away(tmp_path: Path) -> None:
    with (
        served_elsewhere(tmp_path / "server") as server,
        collector(tmp_path / "one", "--store", server.url("owner")) as served,
    ):
        assert "clickhouse_native" not in served.ports, "readers ask the server"
        send(served, "there")
        served.settle()
        assert spans(server, "there") == 20
        assert served.metric('whymesh_collector_canaries_total{outcome="missing"}') == 0

        server.process.kill()
        send(served, "away")
        assert served.metric("whymesh_collector_log_requests") > 0
        again = StoreProcess(tmp_path / "server", tmp_path / "again.log", port=server.port)
        try:
            served.settle()
            until(lambda: spans(again, "away") == 20, "the spans that waited in the log")
            assert spans(again, "there") == 20
        finally:
            again.end()
        assert served.process.terminate() == 0


def test_a_server_that_hangs_and_a_collector_that_is_killed_meanwhile(tmp_path: Path) -> None:
    """Whether the insert under way was made is known to the server alone; it is made once."""
    with served_elsewhere(tmp_path / "server") as server:
        with collector(tmp_path / "one", "--store", server.url("owner")) as served:
            send(served, "before")
            served.settle()
            os.kill(server.process.pid, signal.SIGSTOP)
            try:
                send(served, "while it hangs")
                assert served.metric("whymesh_collector_log_requests") > 0, "it is acknowledged all the same"
                served.process.kill()
            finally:
                os.kill(server.process.pid, signal.SIGCONT)
        with collector(tmp_path / "one", "--store", server.url("owner")) as served:
            served.settle()
            assert (spans(server, "before"), spans(server, "while it hangs")) == (20, 20)


def test_a_wrong_address_is_told_without_its_password(tmp_path: Path) -> None:
    flags = ("--data", str(tmp_path / "data"), "--store", "http://user:secret@host/otel")
    with running("collector", *flags, log=tmp_path / "log") as process:
        assert process.wait() == 2
        assert "store.url: Value error, a store address starts with clickhouse://" in process.output()
        assert "secret" not in process.output()
