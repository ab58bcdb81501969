"""Says where a run is made, and stops it where it would mean nothing."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

from tests.bench.results import Machine

NGINX = "/usr/sbin/nginx"
HAPROXY = "/usr/sbin/haproxy"
ENVOY = str(Path(sys.executable).with_name("envoy"))
_TOOLS = ("wrk", "h2load", "taskset", NGINX, HAPROXY)
_FILES = 12_000
_ROOT = Path(__file__).parents[2]
_VERSIONS = {
    "whymesh": ("git", "-C", str(_ROOT), "describe", "--always", "--dirty"),
    "Envoy": (ENVOY, "--version"),
    "HAProxy": (HAPROXY, "-v"),
    "nginx": (NGINX, "-v"),
    "wrk": ("wrk", "-v"),
    "h2load": ("h2load", "--version"),
    "rustc": ("rustc", "--version"),
}
"""How each says its version, if it is there."""


def check() -> None:
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
    if missing := [tool for tool in (*_TOOLS, ENVOY) if shutil.which(tool) is None]:
        raise SystemExit(f"missing: {', '.join(missing)}; run make bench, which installs them")


def take_precedence() -> None:
    """Lets what is measured go first on a machine that does other things too, where that is permitted."""
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -10)


def describe() -> Machine:
    """This machine, and the programs of a run."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.split(":", 1)[1].strip() for line in lines if "model name" in line]
    return Machine(
        cores=os.cpu_count() or 1,
        processor=models[0] if models else "unknown",
        kernel=f"{platform.system()} {platform.release()}",
        versions={"Python": platform.python_version(), **{name: _version(name) for name in _VERSIONS}},
    )


def _version(name: str) -> str:
    """The part of what a program says that is its version."""
    said = subprocess.run(_VERSIONS[name], capture_output=True, text=True, check=False)
    text = said.stdout + said.stderr
    if name == "whymesh":
        return text.strip()
    found = re.search(r"\d+\.\d+(\.\d+)?(-\w+)?", text)
    return found[0] if found else "unknown"
