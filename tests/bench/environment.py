"""What every proxy stands in front of: one nginx as application and as span sink, on the load generator's core."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from tests.bench.load import PIN
from tests.bench.machine import NGINX
from tests.world.processes import free_port, get, until

CONFIGS = Path(__file__).parent / "configs"


@dataclass(frozen=True)
class Environment:
    """Ports of the backend and of the span sink, and a folder for configuration files."""

    folder: Path
    backend: int
    backend_http2: int
    sink: int

    def upstream(self, http2: bool) -> int:
        """The port of the application that speaks this protocol."""
        return self.backend_http2 if http2 else self.backend

    def written(self, name: str, **values: object) -> Path:
        """A configuration file with its @NAMES@ filled in."""
        text = (CONFIGS / name).read_text()
        for key, value in {**values, "FOLDER": self.folder}.items():
            text = text.replace(f"@{key}@", str(value))
        path = self.folder / name
        path.write_text(text)
        return path


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Environment]:
    """The backend and the sink, up while the block runs."""
    environment = Environment(folder, free_port(), free_port(), free_port())
    (folder / "64k").write_bytes(b"x" * 65_536)
    (folder / "grpc").write_bytes(b"\x00\x00\x00\x00\x20" + b"\x0a\x1e" + b"x" * 30)
    config = environment.written(
        "backend.conf",
        BACKEND=environment.backend,
        BACKEND_HTTP2=environment.backend_http2,
        SINK=environment.sink,
        BODY="x" * 64,
    )
    with started([*PIN, NGINX, "-c", str(config)], environment.backend):
        yield environment


@contextlib.contextmanager
def started(command: list[str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A program that answers HTTP on a loopback port, up while the block runs."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        until(lambda: _answers(process, port), f"{command[-1]} to answer on port {port}")
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            click.echo(f"{command[3]} did not stop; killed", err=True)
            process.kill()
            process.wait()
        if process.stderr:
            process.stderr.close()


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    if process.poll() is not None and process.stderr:
        raise RuntimeError(process.stderr.read().decode(errors="replace"))
    return get(f"http://127.0.0.1:{port}/")[0] in {200, 404}
