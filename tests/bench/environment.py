"""What every proxy is measured against: one nginx as backend and as span sink, on the load generator's core."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from tests.bench.load import LOAD_CORE
from tests.world.processes import free_port, get, until

NGINX = "/usr/sbin/nginx"
_TOOLS = ("wrk", "taskset", NGINX, "/usr/sbin/haproxy")

_BACKEND = """
daemon off; worker_processes 1; pid {folder}/backend.pid; error_log {folder}/backend.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; client_max_body_size 64m;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; client_body_buffer_size 8m;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{backend};
    location / {{ return 200 "{body}"; }}
  }}
  server {{
    listen 127.0.0.1:{sink};
    location / {{ default_type application/x-protobuf; return 200 ""; }}
  }}
}}
"""


@dataclass(frozen=True)
class Environment:
    """Ports of the backend and of the span sink, and a folder for configuration files."""

    folder: Path
    backend: int
    sink: int


def check_machine() -> None:
    """Stops with one sentence when this machine cannot measure: too few cores, a tool missing, a debug build."""
    from proxy._engine import BUILD_PROFILE

    if BUILD_PROFILE != "release":
        raise SystemExit(f"the engine is a {BUILD_PROFILE} build: its figures mean nothing; run make bench")
    if (os.cpu_count() or 1) < 2:
        raise SystemExit("one core: the load generator would take the proxy's time; two are needed")
    if missing := [tool for tool in _TOOLS if shutil.which(tool) is None]:
        raise SystemExit(f"missing: {', '.join(missing)}; run make bench, which installs them")


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
    environment = Environment(folder, free_port(), free_port())
    config = folder / "backend.conf"
    config.write_text(_BACKEND.format(folder=folder, backend=environment.backend, sink=environment.sink, body="x" * 64))
    with started(["taskset", "-c", str(LOAD_CORE), NGINX, "-c", str(config)], environment.backend):
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
