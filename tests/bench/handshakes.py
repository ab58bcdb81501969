"""What it costs two proxies to begin connections: full handshakes with one of them, and resumed ones between the two.

In: OpenSSL's client with a certificate, which begins one connection after the other with the called proxy and resumes
nothing; then requests through a pair that keeps no connection, whose sessions are resumed as both makes do by default.
Out: handshakes a second on one core, and CPU of each.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import click

from tests.bench.environment import Environment
from tests.bench.load import PIN as BESIDE
from tests.bench.load import Load, drive
from tests.bench.peers import PIN
from tests.bench.results import Column, Findings, Table, Target
from tests.bench.running import Running
from tests.bench.secured import envoys
from tests.world.processes import free_port, listens, until

_COLUMNS = (
    Column(head="proxy"),
    Column(head="full, /s"),
    Column(head="CPU µs, one end"),
    Column(head="a request each, /s"),
    Column(head="CPU µs, both ends and the request"),
)


@dataclass(frozen=True)
class Begun:
    """Connections begun a second, and CPU of each in µs."""

    a_second: float
    cpu_us: float


@contextlib.contextmanager
def pair(environment: Environment, *options: str) -> Iterator[tuple[Running, int]]:
    """Two engines of ours as one process, and the port of the called one."""
    listen, inbound = free_port(), free_port()
    ports = ["--app", str(environment.backend), "--sink", str(environment.sink), "--inbound", str(inbound)]
    command = [*PIN, sys.executable, "-m", "tests.bench.pair", *ports, "--listen", str(listen), *options]
    process = subprocess.Popen([*command, str(environment.folder)])
    try:
        until(lambda: listens(f"127.0.0.1:{listen}"), "two engines to listen")
        yield Running((process.pid,), listen, host="back"), inbound
    finally:
        process.terminate()
        process.wait()


def measure(environment: Environment, load: Load, rounds: int) -> Findings:
    """Ours and Envoy's, in turn."""
    load = replace(load, shape=replace(load.shape, host="back"))
    with (
        pair(environment, "--kept", "0") as (ours, our_port),
        _own_folder(environment) as theirs_at,
        envoys(theirs_at, http2=False, kept=False) as (theirs, their_port),
    ):
        contenders = (
            ("two whymesh, mutual TLS, traced", ours, our_port, environment.folder),
            ("two Envoys, mutual TLS, traced", theirs, their_port, theirs_at.folder),
        )
        full: dict[str, list[Begun]] = {name: [] for name, *_ in contenders}
        resumed: dict[str, list[Begun]] = {name: [] for name, *_ in contenders}
        for _ in range(rounds):
            for name, running, port, folder in contenders:
                full[name].append(_full(running, port, folder, load.seconds))
                resumed[name].append(_resumed(running, load))
                click.echo(f"  {name}: {full[name][-1].a_second:,.0f}/s, {resumed[name][-1].a_second:,.0f}/s", err=True)
    rows = tuple((name, *_medians(full[name]), *_medians(resumed[name])) for name in full)
    (_, *our_figures), (_, *their_figures) = rows
    table = Table(
        title=f"Connections begun between proxies, mutual TLS 1.3, median of {rounds} x {load.seconds} s each in turn",
        columns=_COLUMNS,
        rows=rows,
    )
    targets = (
        _ratio("full handshakes: CPU of the called proxy, Envoy over ours", their_figures[1], our_figures[1]),
        _ratio("a connection a request: CPU of both proxies, Envoys over ours", their_figures[3], our_figures[3]),
    )
    return Findings(section="handshakes", tables=(table,), targets=targets)


@contextlib.contextmanager
def _own_folder(environment: Environment) -> Iterator[Environment]:
    """The same with a folder for certificates of another authority."""
    folder = environment.folder / "envoys"
    folder.mkdir()
    yield replace(environment, folder=folder)


def _full(running: Running, port: int, folder: Path, seconds: int) -> Begun:
    """One full handshake after the other, by OpenSSL, with the proxy at this port."""
    files = ["-cert", str(folder / "front.pem"), "-key", str(folder / "front.key"), "-CAfile", str(folder / "root.pem")]
    command = [*BESIDE, "openssl", "s_time", "-new", "-tls1_3", "-time", str(seconds), *files]
    spent, begun = running.cpu_s(), time.monotonic()
    ran = subprocess.run([*command, "-connect", f"127.0.0.1:{port}"], capture_output=True, text=True, check=False)
    took, spent = time.monotonic() - begun, running.cpu_s() - spent
    found = re.search(r"(\d+) connections in [\d.]+ real seconds", ran.stdout)
    assert found, ran.stdout + ran.stderr
    return Begun(int(found[1]) / took, spent * 1e6 / int(found[1]))


def _resumed(running: Running, load: Load) -> Begun:
    spent = running.cpu_s()
    answered = drive(load, running.port)
    return Begun(answered.requests / load.seconds, (running.cpu_s() - spent) * 1e6 / answered.requests)


def _medians(found: list[Begun]) -> tuple[float, float]:
    return median(one.a_second for one in found), median(one.cpu_us for one in found)


def _ratio(what: str, theirs: float, ours: float) -> Target:
    return Target(what=what, measured=theirs / ours, target=1.0)
