"""A collector as a process on free ports, with the addresses it took."""

from __future__ import annotations

import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from clickhouse_driver import Client

from tests.world.processes import Process, get, running, until

# A start takes 1.1 s of CPU, whatever an earlier process left; on a host with thirty others at work, half a minute.
START_S = 90.0
FREE_PORTS = tuple(
    part
    for flag in ("--grpc", "--http", "--zipkin", "--clickhouse-native", "--clickhouse-http", "--metrics")
    for part in (flag, "127.0.0.1:0")
)


class Launch(Protocol):
    """How a module becomes a process."""

    def __call__(self, module: str, *arguments: str, log: Path) -> contextlib.AbstractContextManager[Process]: ...


class Collector:
    """A running collector; `ports` by the names of its configuration."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.ports = self._announced_ports()

    def url(self, door: str, path: str = "") -> str:
        return f"http://127.0.0.1:{self.ports[door]}{path}"

    def send(self, body: bytes, path: str = "/v1/traces", **headers: str) -> int:
        """Status of the answer to a request of OTLP over HTTP."""
        headers = {"Content-Type": "application/x-protobuf"} | {
            name.replace("_", "-"): one for name, one in headers.items()
        }
        asked = urllib.request.Request(self.url("http", path), body, headers, method="POST")
        try:
            with urllib.request.urlopen(asked, timeout=60) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def metric(self, name: str) -> float:
        """A figure of `/metrics` that has no labels."""
        lines = [line for line in get(self.url("metrics", "/metrics"))[1].splitlines() if line.startswith(f"{name} ")]
        assert len(lines) == 1, f"one figure {name} on /metrics, found {lines}"
        return float(lines[0].removeprefix(name))

    def settle(self) -> None:
        """Returns once the rows of everything acknowledged are stored."""
        until(lambda: self.metric("whymesh_collector_log_requests") == 0, "the log to be stored")

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        client = Client("127.0.0.1", self.ports["clickhouse_native"])
        try:
            rows: list[tuple[Any, ...]] = client.execute(sql)
            return rows
        finally:
            client.disconnect()

    def _announced_ports(self) -> dict[str, int]:
        def announced() -> list[dict[str, int]]:
            assert self.process.ended() is None, f"the collector ended:\n{self.process.output()}"
            lines = [line for line in self.process.output().splitlines() if line.startswith("{") and line.endswith("}")]
            return [fields["ports"] for line in lines if "ports" in (fields := json.loads(line))]

        until(lambda: bool(announced()), "the collector to be ready", START_S)
        return announced()[0]


@contextlib.contextmanager
def collector(folder: Path, *arguments: str, launch: Launch = running) -> Iterator[Collector]:
    """A collector with its data in `folder`; killed when the block ends unless it ended itself."""
    folder.mkdir(parents=True, exist_ok=True)
    flags = ("--data", str(folder / "data"), *FREE_PORTS, *arguments)
    with launch("collector", *flags, log=folder / "collector.log") as process:
        yield Collector(process)
