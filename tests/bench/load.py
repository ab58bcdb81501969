"""The load generators on a core of their own, closed loop, keep-alive: wrk for HTTP/1.1, h2load for HTTP/2 and gRPC."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

LOAD_CORE = 1
PIN = ("taskset", "-c", str(LOAD_CORE))


@dataclass(frozen=True)
class Shape:
    """What is asked for: a path of the backend, over which protocol, with or without a gRPC message."""

    name: str
    path: str = "/"
    http2: bool = False
    grpc: bool = False
    body_bytes: int = 64
    host: str = ""


@dataclass(frozen=True)
class Load:
    shape: Shape
    seconds: int
    connections: int
    folder: Path


@dataclass(frozen=True)
class Answered:
    """What the generator saw."""

    requests: int
    p50_us: float
    p99_us: float | None


_UNITS = {"us": 1.0, "ms": 1e3, "s": 1e6}


def drive(load: Load, port: int) -> Answered:
    """Asks a loopback port for so long; raises RuntimeError when an answer was missing or not 2xx."""
    url = f"http://127.0.0.1:{port}{load.shape.path}"
    return _h2load(load, url) if load.shape.http2 else _wrk(load, url)


def _wrk(load: Load, url: str) -> Answered:
    host = ("-H", f"Host: {load.shape.host}") if load.shape.host else ()
    printed = _run("wrk", *host, "--latency", "-t1", f"-c{load.connections}", f"-d{load.seconds}s", url)
    if "Non-2xx" in printed or "Socket errors" in printed:
        raise RuntimeError(f"{url} failed requests:\n{printed}")
    return Answered(_count(r"(\d+) requests in", printed), _latency(r"50%", printed), _latency(r"99%", printed))


def _h2load(load: Load, url: str) -> Answered:
    """A quarter of the connections, four streams on each."""
    message = ()
    if load.shape.grpc:
        body = load.folder / "message"
        body.write_bytes(b"\x00\x00\x00\x00\x20" + b"\x0a\x1e" + b"x" * 30)
        message = ("-d", str(body), "-H", "content-type: application/grpc", "-H", "te: trailers")
    streams = ("-c", str(max(1, load.connections // 4)), "-m", "4", "-t", "1", "-D", str(load.seconds))
    printed = _run("h2load", *streams, *message, url)
    if not re.search(r" 0 failed, 0 errored", printed) or " 0 4xx, 0 5xx" not in printed:
        raise RuntimeError(f"{url} failed requests:\n{printed}")
    # min, max, mean: h2load prints no percentiles
    return Answered(_count(r"(\d+) succeeded", printed), _latency(r"time for request:\s+\S+\s+\S+", printed), None)


def _run(*command: str) -> str:
    return subprocess.run([*PIN, *command], capture_output=True, text=True, check=True).stdout


def _count(pattern: str, printed: str) -> int:
    found = re.search(pattern, printed)
    assert found, printed
    return int(found[1])


def _latency(before: str, printed: str) -> float:
    found = re.search(rf"{before}\s+([\d.]+)(us|ms|s)", printed)
    assert found, printed
    return float(found[1]) * _UNITS[found[2]]
