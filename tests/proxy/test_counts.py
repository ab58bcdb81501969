"""What a sidecar tells of its counters: differences by edge, each interval once, also when the collector was away."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from proxy.counts import Counts, Reports


def counted(*requests: tuple[str, str, int]) -> dict[str, Any]:
    return {
        "requests": [
            {"service": "cart", "instance": "cart-1", "direction": direction, "peer": peer, "count": count}
            for direction, peer, count in requests
        ]
    }


def points(body: str) -> list[tuple[str, str, int, int, int]]:
    return [
        (
            resource["resource"]["attributes"][0]["value"]["stringValue"],
            point["attributes"][0]["value"]["stringValue"],
            int(point["asInt"]),
            int(point["startTimeUnixNano"]) // 1_000_000_000,
            int(point["timeUnixNano"]) // 1_000_000_000,
        )
        for resource in json.loads(body)["resourceMetrics"]
        for scope in resource["scopeMetrics"]
        for metric in scope["metrics"]
        for point in metric["sum"]["dataPoints"]
    ]


def test_an_interval_is_what_came_since_the_one_before() -> None:
    counts = Counts()
    first = counts.interval(counted(("inbound", "front", 3), ("inbound", "front", 4), ("outbound", "db", 9)), 1_000)
    assert points(first) == [("cart", "front", 7, 990, 1_000)]
    later = counted(("inbound", "front", 3), ("inbound", "front", 6), ("inbound", "", 1), ("outbound", "db", 9))
    assert points(counts.interval(later, 1_010)) == [("cart", "front", 2, 1_000, 1_010), ("cart", "", 1, 1_000, 1_010)]
    assert counts.interval(later, 1_020) == "", "nothing came"


def test_counts_are_of_the_resource_of_their_instance() -> None:
    told = {"host.name": "a7", "service.name": "another", "service.version": "v2"}
    counts = Counts({"cart-1": told}.__getitem__)
    (found,) = json.loads(counts.interval(counted(("inbound", "front", 3)), 1_000))["resourceMetrics"]
    said = {one["key"]: one["value"]["stringValue"] for one in found["resource"]["attributes"]}
    assert said == {
        "service.name": "cart",
        "service.instance.id": "cart-1",
        "host.name": "a7",
        "service.version": "v2",
    }


class Collector(ThreadingHTTPServer):
    """Answers as told and keeps what it takes."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Door)
        self.answer = 200
        self.taken: list[tuple[str, str, str]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1/traces"


class Door(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.taken.append((self.path, self.headers["x-whymesh-batch"], body))
        self.send_response(self.server.answer)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_what_is_not_taken_is_sent_again_unchanged_and_in_order(collector: Collector) -> None:
    reports = Reports()
    reports.add("1")
    collector.answer = 503
    reports.send(collector.url)
    reports.add("2")
    collector.answer = 200
    reports.send(collector.url)
    assert [(path, body) for path, _, body in collector.taken] == [("/v1/metrics", body) for body in "112"]
    batches = [batch for _, batch, _ in collector.taken]
    assert batches[0] == batches[1] != batches[2]
    reports.send(collector.url)
    assert len(collector.taken) == 3


def test_what_is_refused_for_good_is_not_sent_again(collector: Collector) -> None:
    reports = Reports()
    reports.add("1")
    collector.answer = 400
    for _ in range(2):
        reports.send(collector.url)
    assert len(collector.taken) == 1


def test_a_collector_that_is_away_is_waited_for() -> None:
    reports = Reports()
    reports.add("1")
    reports.send("http://127.0.0.1:1/v1/traces")
