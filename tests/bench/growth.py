"""`python -m tests.bench.growth`: a proxy that is asked for what nobody asked before, a million times, must not grow.

In: requests with random hosts to the outbound listener, and with random paths and headers to the inbound one.
Out: one line of JSON: by how much the sidecar's process grew.
"""

from __future__ import annotations

import contextlib
import json
import random
import socket
import socketserver
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from tests.bench.measure import rss_mb
from tests.world import meshes
from tests.world.processes import free_port, get, running, until

MOST_GROWTH_MB = 2.0
_AT_ONCE = 32
_CONTENT_LENGTH = b"content-length:"


@dataclass(frozen=True)
class Figures:
    """Requests answered after the warm-up, and the process's memory before and after them."""

    requests: int
    before_mb: float
    after_mb: float

    @property
    def grown_mb(self) -> float:
        return self.after_mb - self.before_mb


class Stranger:
    """A client that never asks the same twice; pipelined, so that a million takes minutes."""

    def __init__(self, inbound: int, outbound: int) -> None:
        self._random = random.Random(7)
        self._inbound = socket.create_connection(("127.0.0.1", inbound), timeout=10)
        self._outbound = socket.create_connection(("127.0.0.1", outbound), timeout=10)

    def ask(self, requests: int) -> int:
        """Sends so many, half to each listener; returns how many were answered."""
        asked = 0
        while asked < requests:
            for connection, ask in ((self._inbound, self._any_path), (self._outbound, self._any_host)):
                connection.sendall(b"".join(ask() for _ in range(_AT_ONCE)))
                _swallow(connection, _AT_ONCE)
                asked += _AT_ONCE
        return asked

    def close(self) -> None:
        self._inbound.close()
        self._outbound.close()

    def _any_path(self) -> bytes:
        path, name, value = self._word(), self._word(), self._word()
        return f"GET /{path}/{value} HTTP/1.1\r\nHost: grown\r\nx-{name}: {value}\r\n\r\n".encode()

    def _any_host(self) -> bytes:
        return f"GET / HTTP/1.1\r\nHost: {self._word()}.example\r\n\r\n".encode()

    def _word(self) -> str:
        return f"{self._random.getrandbits(64):x}"


def _swallow(connection: socket.socket, answers: int) -> None:
    """Reads so many answers, all of which carry a Content-Length."""
    received = b""
    while answers:
        head, found, rest = received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(_CONTENT_LENGTH)[2].partition(b"\r\n")[0]) if found else 0
        if found and len(rest) >= length:
            received = rest[length:]
            answers -= 1
        else:
            chunk = connection.recv(65_536)
            assert chunk, f"hung up after {received[-200:]!r}"
            received += chunk
    assert not received


class _Answers(socketserver.StreamRequestHandler):
    """An application that has the same answer for everything."""

    disable_nagle_algorithm = True

    def handle(self) -> None:
        for line in self.rfile:
            if line == b"\r\n":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhere")


@contextlib.contextmanager
def _app() -> Iterator[int]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Answers) as server:
        server.daemon_threads = True
        server.block_on_close = False
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def measure(folder: Path, requests: int, warm: int) -> Figures:
    """Asks `warm` times so that every buffer and queue has its size, then `requests` times more."""
    inbound, outbound, admin = free_port(), free_port(), free_port()
    with _app() as app, _sidecar(folder, app, inbound, outbound, admin) as pid:
        stranger = Stranger(inbound, outbound)
        try:
            stranger.ask(warm)
            before = _settled(pid, admin)
            asked = stranger.ask(requests)
            return Figures(asked, before, _settled(pid, admin))
        finally:
            stranger.close()


@contextlib.contextmanager
def _sidecar(folder: Path, app: int, inbound: int, outbound: int, admin: int) -> Iterator[int]:
    """A sidecar under its control plane; nobody listens where its collector should be."""
    control = free_port()
    path = meshes.write(
        folder / "mesh.yaml",
        meshes.mesh(telemetry={"endpoint": f"http://127.0.0.1:{free_port()}/v1/traces"}),
        meshes.service("grown", meshes.endpoint("grown-1", app, sidecar=meshes.sidecar(inbound, outbound, admin))),
    )
    flags = ("-f", str(path), "--listen", f"127.0.0.1:{control}", "--state", str(folder / "control"))
    with running("proxy.control", *flags, log=folder / "control.log") as brain:
        brain.ready(f"http://127.0.0.1:{control}/readyz")
        own = ("--instance", "grown-1", "--admin", f"127.0.0.1:{admin}", "--control", f"http://127.0.0.1:{control}")
        with running("proxy", *own, log=folder / "grown.log") as sidecar:
            sidecar.ready(f"http://127.0.0.1:{admin}/readyz")
            yield sidecar.pid


def _settled(pid: int, admin: int) -> float:
    """Memory after a scrape, which itself takes some."""
    until(lambda: get(f"http://127.0.0.1:{admin}/metrics")[0] == 200, "a scrape")
    return rss_mb([pid])


@click.command()
@click.option("--requests", default=1_000_000, show_default=True)
@click.option(
    "--warm", default=100_000, show_default=True, help="Requests before the first look: they fill the queue of spans."
)
def main(requests: int, warm: int) -> None:
    """Ask a sidecar for random hosts, paths and headers, and print by how much it grew."""
    with tempfile.TemporaryDirectory(prefix="whymesh-growth-") as folder:
        figures = measure(Path(folder), requests, warm)
    click.echo(json.dumps({**asdict(figures), "grown_mb": round(figures.grown_mb, 2)}))
    if figures.grown_mb > MOST_GROWTH_MB:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
