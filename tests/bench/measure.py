"""CPU and memory of a proxy's processes, read from /proc."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.load import Answered, Load

if TYPE_CHECKING:
    from tests.bench.peers import Running

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Measurement:
    """One proxy under one load."""

    name: str
    requests_per_s: float
    cpu_us: float
    p50_us: float
    p99_us: float
    idle_rss_mb: float
    rss_mb: float
    spans_share: float | None

    def as_json(self) -> str:
        return json.dumps(asdict(self))


@dataclass
class Taken:
    """CPU spent between entering and leaving `measured`, and memory when leaving."""

    cpu_s: float = 0.0
    rss_mb: float = field(default=0.0)

    def result(self, name: str, answered: Answered, load: Load, idle_rss: float, share: float | None) -> Measurement:
        return Measurement(
            name=name,
            requests_per_s=answered.requests / load.seconds,
            cpu_us=self.cpu_s * 1e6 / answered.requests,
            p50_us=answered.p50_us,
            p99_us=answered.p99_us,
            idle_rss_mb=idle_rss,
            rss_mb=self.rss_mb,
            spans_share=share,
        )


@contextlib.contextmanager
def measured(running: Running) -> Iterator[Taken]:
    """Counts the CPU of all processes of a proxy while the block runs, and for the second after it (queued export)."""
    taken, before = Taken(), cpu_s(running.pids())
    yield taken
    time.sleep(1.0)  # not readiness: what was deferred off the request path must be counted too
    taken.cpu_s = cpu_s(running.pids()) - before
    taken.rss_mb = running.rss()


def cpu_s(pids: list[int]) -> float:
    """utime + stime of all threads of the processes, in seconds."""
    return sum(sum(map(int, _stat(pid)[11:13])) for pid in pids) * _TICK_S


def rss_mb(pids: list[int]) -> float:
    """Resident memory of the processes, in megabytes."""
    return sum(int(_stat(pid)[21]) for pid in pids) * _PAGE / 1e6


def tree(pid: int) -> list[int]:
    """A process and everything below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(below for child in children for below in tree(int(child)))]


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat after the command name, which may hold spaces (proc_pid_stat(5))."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
