"""The load generator: wrk on its own core, closed loop, keep-alive."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass

LOAD_CORE = 1


@dataclass(frozen=True)
class Load:
    seconds: int
    connections: int


@dataclass(frozen=True)
class Answered:
    """What the generator saw; latencies in microseconds."""

    requests: int
    p50_us: float
    p99_us: float


_UNITS = {"us": 1.0, "ms": 1e3, "s": 1e6}


def drive(load: Load, port: int) -> Answered:
    """Runs wrk against a loopback port; raises RuntimeError when an answer was missing or not 2xx."""
    command = [
        "taskset",
        "-c",
        str(LOAD_CORE),
        "wrk",
        "--latency",
        "-t1",
        f"-c{load.connections}",
        f"-d{load.seconds}s",
    ]
    printed = subprocess.run([*command, f"http://127.0.0.1:{port}/"], capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in printed or "Socket errors" in printed:
        raise RuntimeError(f"the proxy on port {port} failed requests:\n{printed}")
    requests = re.search(r"(\d+) requests in", printed)
    assert requests, printed
    return Answered(int(requests[1]), _latency(printed, "50%"), _latency(printed, "99%"))


def _latency(printed: str, percentile: str) -> float:
    found = re.search(rf"{percentile}\s+([\d.]+)(us|ms|s)", printed)
    assert found, printed
    return float(found[1]) * _UNITS[found[2]]
