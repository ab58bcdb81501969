"""`python -m tests.bench.rotation --seconds 120`: leaf, issuer and root change under load between two proxies.

In: requests at a constant rate, certificates that live for seconds. Out: one line of JSON: how many requests there
were, how often each certificate changed. Ends with the first request that fails.
"""

from __future__ import annotations

import json
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import click

from tests.bench.open_loop import drive, percentile
from tests.world.processes import until
from tests.world.secured_mesh import SecuredMesh
from tests.world.threaded import Application, serving

_STRETCH_S = 0.5
_ROTATES_S = 120.0
"""Longest wait for a step: proxies acknowledge, renew, and an answer may be on its way for fifteen seconds."""


@dataclass(frozen=True)
class Figures:
    """What one run showed; every request was answered with 200."""

    requests: int
    p99_ms: float
    issuers: int
    roots: int
    renewals: dict[str, int]
    """Certificates that each proxy was granted after its first."""


@dataclass
class _Load:
    """Callers at a constant rate, as far as the machine bears it, until told to stop."""

    port: int
    rate: float
    latencies: list[float] = field(default_factory=list)
    failure: Exception | None = None
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """A stretch after the other, each over new connections to the first proxy."""
        try:
            while not self._stop.is_set():
                self.latencies += drive(self.port, "back", self.rate, _STRETCH_S, warm_s=0)
        except Exception as error:  # raised where the run is waited for
            self.failure = error

    def goes_on(self) -> bool:
        """Whether there have been answers since; raises what failed."""
        seen = len(self.latencies)
        until(lambda: len(self.latencies) > seen or self.failure is not None, "answers")
        if self.failure is not None:
            raise self.failure
        return True

    def stop(self) -> None:
        self._stop.set()


def measure(folder: Path, seconds: float, rate: float, lifetime: str) -> Figures:
    """Rotates issuer and root in turn for so long, and until each proxy has renewed by itself, too."""
    with serving(Application()) as app:
        mesh = SecuredMesh(folder, app.port)
        mesh.write(mtls="strict", authority={"lifetime": lifetime})
        with mesh.started():
            load = _Load(mesh.front[1], rate)
            driver = threading.Thread(target=load.run)
            driver.start()
            try:
                turns = _rotated(mesh, load, seconds)
                renewals = _renewed(mesh, load, turns)
            finally:
                load.stop()
                driver.join()
        if load.failure is not None:
            raise load.failure
    return Figures(len(load.latencies), percentile(load.latencies, 99) * 1_000, turns, turns, renewals)


def _rotated(mesh: SecuredMesh, load: _Load, seconds: float) -> int:
    """How often an issuer and then a root was replaced, to the last step: once at least."""
    began, turns = time.monotonic(), 0
    while not turns or time.monotonic() < began + seconds:
        load.goes_on()
        before = mesh.authority()
        mesh.order("rotate", "issuer")
        until(lambda before=before: mesh.authority()["issuer"] != before["issuer"], "another issuer")  # type: ignore[misc]
        load.goes_on()
        mesh.order("rotate", "root")
        root = before["roots"][0]["sha256"]
        until(lambda root=root: [one["sha256"] for one in mesh.authority()["roots"]] != [root], "another root")  # type: ignore[misc]
        until(lambda: mesh.authority()["rotation"]["step"] == "none", "the old root to go", _ROTATES_S)
        load.goes_on()
        turns += 1
    return turns


def _renewed(mesh: SecuredMesh, load: _Load, roots: int) -> dict[str, int]:
    """Certificates after the first, once each proxy has had one more than other roots made it ask for."""
    admins = {"front": mesh.front[2], "back": mesh.back[2]}

    def granted() -> dict[str, int]:
        return {name: int(mesh.granted(admin)) - 1 for name, admin in admins.items()}

    until(lambda: min(granted().values()) > roots, "renewals", _ROTATES_S)
    load.goes_on()
    return granted()


@click.command()
@click.option("--seconds", default=120.0, show_default=True, help="Begin rotations for so long.")
@click.option("--rate", default=500.0, show_default=True, help="Requests a second.")
@click.option("--lifetime", default="30s", show_default=True, help="Of a service's certificate.")
def main(seconds: float, rate: float, lifetime: str) -> None:
    """Change every certificate of a mesh under load, again and again."""
    with tempfile.TemporaryDirectory(prefix="whymesh-rotation-") as folder:
        click.echo(json.dumps(asdict(measure(Path(folder), seconds, rate, lifetime))))


if __name__ == "__main__":
    main()
