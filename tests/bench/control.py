"""How soon 200 proxies hear of a change among 1000 endpoints, and what the control plane spends on it.

In: a control plane as a process with two meshes in turn: services that say whom they call, and services that do not,
so that every proxy hears of everything. Changes over its API. Out: the time until the last one has its snapshot, bytes
on the streams, CPU of the control plane with all acknowledgements, and who was told. The streams are the sidecar's
own, all in this process: 200 processes would share the cores with what is measured.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import click

from tests.bench.environment import Environment, started
from tests.bench.measure import cpu_s, rss_mb
from tests.bench.peers import PIN
from tests.bench.results import Cell, Column, Findings, Table, Target
from tests.world import meshes
from tests.world.followers import Followers, following
from tests.world.processes import free_port, until
from tests.world.wide import Wide

_SERVICES, _INSTANCES, _CALLS = 200, 5, 5
_CHANGES = 10
_AWAY_S = 8.0
_CONCERNED = Wide(_SERVICES, _INSTANCES, _CALLS)
_EVERYBODY = Wide(_SERVICES, _INSTANCES, None)
_COLUMNS = (
    Column(head="change"),
    Column(head="proxies told"),
    Column(head="last has it, ms"),
    Column(head="slowest change, ms"),
    Column(head="KB sent", form=",.1f"),
    Column(head="control plane CPU ms"),
)
Change = Callable[[int], dict[str, Any]]


@dataclass(frozen=True)
class Plane:
    """One control plane, and those who follow it."""

    url: str
    pid: int
    wide: Wide
    followers: Followers

    def put(self, document: dict[str, Any]) -> dict[str, Any]:
        """Writes one document over the API."""
        place = f"{document['kind']}/{document['metadata'].get('namespace', 'default')}/{document['metadata']['name']}"
        headers = {"Content-Type": "application/json"}
        body = json.dumps(document).encode()
        request = urllib.request.Request(f"{self.url}/v1/config/{place}", body, headers, method="PUT")
        with urllib.request.urlopen(request, timeout=30) as answer:
            told: dict[str, Any] = json.loads(answer.read())
        return told


@dataclass(frozen=True)
class Spread:
    """One change: who was told of it, until when, and what it took."""

    told: int
    seconds: float
    bytes: int
    cpu_s: float
    strangers: int
    """Proxies that were told although they do not call the service."""


def measure(environment: Environment) -> Findings:
    """Three kinds of change, each several times."""
    rows: list[tuple[Cell, ...]] = []
    targets: list[Target] = []
    endpoints = f"{_SERVICES} proxies, {_SERVICES * _INSTANCES:,} endpoints"
    with _plane(environment.folder, _CONCERNED) as plane:
        scale = f"an instance of a service that {_CALLS} call"
        spreads = [_spread(plane, lambda at: _scaled(plane.wide, at), n, _concerned) for n in range(_CHANGES)]
        rows.append(_row(scale, spreads))
        strangers = max(one.strangers for one in spreads)
        targets.append(_most("proxies told of a service that they do not call", strangers, 0))
        spreads = [_spread(plane, lambda at: _settings(plane.wide, at), n, _all) for n in range(_CHANGES)]
        rows.append(_row("a setting of the mesh", spreads))
        targets.append(_slowest(f"{endpoints}: a setting reaches all", spreads))
    with _plane(environment.folder, _EVERYBODY) as plane:
        spreads = [_spread(plane, lambda at: _scaled(plane.wide, at), n, _all) for n in range(_CHANGES)]
        rows.append(_row("an instance, where any may call any", spreads))
        targets.append(_slowest(f"{endpoints}, all sent to each: a change reaches all", spreads))
        memory = rss_mb([plane.pid])
    targets.append(_most(f"{endpoints}: memory of the control plane", memory, 500, " MB"))
    back_s = _back(environment.folder, _CONCERNED)
    targets.append(_most(f"control plane killed and back: {_SERVICES} proxies serve the newest epoch", back_s, 5, " s"))
    table = Table(title=f"{endpoints}: median of {_CHANGES} changes over the API", columns=_COLUMNS, rows=tuple(rows))
    return Findings(section="control", tables=(table,), targets=tuple(targets))


@contextmanager
def _plane(folder: Path, wide: Wide) -> Iterator[Plane]:
    """A control plane on a core of its own, with every proxy on its first snapshot."""
    url, command = _written(folder, wide)
    with started(command, _port(url)) as process, following(url, wide.proxies, process.terminate) as followers:
        until(lambda: followers.acknowledged(1) == len(wide.proxies), "every proxy to serve the first epoch")
        yield Plane(url, process.pid, wide, followers)


def _back(folder: Path, wide: Wide) -> float:
    """Seconds from when a control plane that was killed answers again until all serve what was written meanwhile."""
    url, command = _written(folder, wide)
    logging.getLogger("whymesh.proxy").setLevel(logging.ERROR)  # 200 times that nobody answers
    with ExitStack() as up:
        killed = up.enter_context(started(command, _port(url)))
        followers = up.enter_context(following(url, wide.proxies, end=lambda: None))
        until(lambda: followers.acknowledged(1) == len(wide.proxies), "every proxy to serve the first epoch")
        killed.kill()
        killed.wait()
        time.sleep(_AWAY_S)  # not readiness: by then proxies try again as seldom as they ever do
        meshes.write(_file(folder, url), wide.mesh(outbound={"outside": "deny"}), *wide.documents()[1:])
        up.enter_context(started(command, _port(url)))
        begun = time.monotonic()
        until(lambda: followers.acknowledged(2) == len(wide.proxies), "every proxy to serve the second epoch")
        took = time.monotonic() - begun
    click.echo(f"  all back after {took:.1f} s", err=True)
    return took


def _written(folder: Path, wide: Wide) -> tuple[str, list[str]]:
    """Where a control plane of this mesh will answer, and the command that starts it."""
    url = f"http://127.0.0.1:{free_port()}"
    path = meshes.write(_file(folder, url), *wide.documents())
    files = ["-f", str(path), "--state", str(path.with_suffix(""))]
    return url, [*PIN, sys.executable, "-m", "proxy.control", *files, "--listen", url.removeprefix("http://")]


def _file(folder: Path, url: str) -> Path:
    return folder / f"wide-{_port(url)}.yaml"


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])


def _spread(plane: Plane, change: Change, number: int, concerned: Callable[[Wide, int], list[str]]) -> Spread:
    """Makes one change, and returns when everybody concerned has acknowledged it."""
    expected = set(concerned(plane.wide, number))
    spent, begun = cpu_s([plane.pid]), time.monotonic()
    epoch = plane.put(change(number))["epoch"]
    until(lambda: plane.followers.acknowledged(epoch) >= len(expected), f"{len(expected)} to acknowledge {epoch}")
    spent = cpu_s([plane.pid]) - spent
    heard = plane.followers.heard(epoch)
    told = {one.proxy for one in heard}
    assert told >= expected, f"not told: {expected - told}"
    latest = max(one.at for one in heard)
    click.echo(f"  epoch {epoch}: {len(told)} told in {(latest - begun) * 1e3:.0f} ms", err=True)
    return Spread(len(told), latest - begun, sum(one.bytes for one in heard), spent, len(told - expected))


def _concerned(wide: Wide, number: int) -> list[str]:
    return wide.callers(number)


def _all(wide: Wide, _: int) -> list[str]:
    return wide.proxies


def _scaled(wide: Wide, number: int) -> dict[str, Any]:
    return wide.service(number, more=1)


def _settings(wide: Wide, number: int) -> dict[str, Any]:
    return wide.mesh(outbound={"outside": ("deny", "allow")[number % 2]})


def _row(what: str, spreads: list[Spread]) -> tuple[Cell, ...]:
    return (
        what,
        median(one.told for one in spreads),
        median(one.seconds for one in spreads) * 1e3,
        max(one.seconds for one in spreads) * 1e3,
        median(one.bytes for one in spreads) / 1e3,
        sum(one.cpu_s for one in spreads) / len(spreads) * 1e3,
    )


def _slowest(what: str, spreads: list[Spread]) -> Target:
    return _most(what, max(one.seconds for one in spreads) * 1e3, 1_000, " ms")


def _most(what: str, measured: float, target: float, unit: str = "") -> Target:
    return Target(what=what, measured=measured, target=target, bound="at most", unit=unit)
