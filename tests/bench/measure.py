"""CPU and memory of processes, read from /proc."""

from __future__ import annotations

import os
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def cpu_s(pids: list[int]) -> float:
    """utime + stime of all threads of the processes, in seconds."""
    return sum(sum(map(int, _stat(pid)[11:13])) for pid in pids) * _TICK_S


def rss_mb(pids: list[int]) -> float:
    """Resident memory of the processes, in megabytes."""
    return sum(int(_stat(pid)[21]) for pid in pids) * _PAGE / 1e6


def peak_mb(pid: int) -> int:
    """The most resident memory the process has had, in megabytes (proc_pid_status(5))."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (kilobytes,) = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(kilobytes) // 1024


def tree(pid: int) -> list[int]:
    """A process and everything below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(below for child in children for below in tree(int(child)))]


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat after the command name, which may hold spaces (proc_pid_stat(5))."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
