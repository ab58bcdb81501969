"""What every proxy stands in front of: one nginx as application and as span sink, on the load generator's core."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from tests.bench.load import PIN
from tests.world.processes import free_port, get, until

NGINX = "/usr/sbin/nginx"
_TOOLS = ("wrk", "h2load", "taskset", NGINX, "/usr/sbin/haproxy")

_FILES = 12_000
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


def check_machine() -> None:
    """Stops with one sentence when this machine cannot measure: too few cores, a tool missing, a debug build."""
    from proxy._engine import BUILD_PROFILE

    if BUILD_PROFILE != "release":
        raise SystemExit(f"the engine is a {BUILD_PROFILE} build: its figures mean nothing; run make bench")
    if (os.cpu_count() or 1) < 2:
        raise SystemExit("one core: the load generator would take the proxy's time; two are needed")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if most < _FILES:
        raise SystemExit(f"{_FILES} open files are needed for 10 000 connections, {most} are allowed; see `ulimit -Hn`")
    if missing := [tool for tool in _TOOLS if shutil.which(tool) is None]:
        raise SystemExit(f"missing: {', '.join(missing)}; run make bench, which installs them")


def take_precedence() -> None:
    """Lets what is measured go first on a machine that does other things too, where that is permitted."""
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -10)


def describe_machine() -> str:
    """Core count and model, since an absolute figure means nothing without."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        "unknown CPU",
    )
    return f"{os.cpu_count()} cores, {model}; each proxy on one core, load, backend and span sink on another"


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
