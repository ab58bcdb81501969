"""A mesh of real processes that join, encrypt, and go on encrypting while one of them is replaced."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.world import meshes
from tests.world.callers import Holding, Load
from tests.world.processes import Process, free_port, get, running, until
from tests.world.threaded import serving


class Place:
    """`front` calls `card`, whose proxy is started more than once."""

    def __init__(self, folder: Path, app: int) -> None:
        self.folder = folder
        self.control = free_port()
        self.ports = {name: [free_port() for _ in range(3)] for name in ("front", "card")}
        services = [
            meshes.service(name, meshes.endpoint(f"{name}-1", app, sidecar=meshes.sidecar(*ports)))
            for name, ports in self.ports.items()
        ]
        mesh = meshes.mesh(telemetry={"enabled": False}, authority={}, mtls="strict")
        self.mesh = meshes.write(folder / "mesh.yaml", mesh, *services)

    def start_control(self) -> Any:
        files = ("--state", str(self.folder / "c"), "--node-key", str(self.folder / "node.key"))
        listen = ("--listen", f"127.0.0.1:{self.control}")
        return running("proxy.control", "-f", str(self.mesh), *listen, *files, log=self.folder / "control.log")

    def start(self, name: str, *more: str, log: str = "") -> Any:
        files = ("--state", str(self.folder / f"s-{name}"), "--join", str(self.folder / "node.key"))
        listen = ("--instance", f"{name}-1", "--admin", f"127.0.0.1:{self.ports[name][2]}")
        control = ("--control", f"http://127.0.0.1:{self.control}")
        return running("proxy", *listen, *control, *files, *more, log=self.folder / f"{log or name}.log")

    def ready(self, name: str) -> bool:
        return get(f"http://127.0.0.1:{self.ports[name][2]}/readyz")[0] == 200

    def ask(self) -> int:
        """The status of one call of `front` to `card`."""
        return get_by(self.ports["front"][1], "http://card/")


def get_by(proxy: int, url: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", proxy, timeout=20)
    try:
        connection.request("GET", url)
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with serving(Holding()) as app:
        yield Place(tmp_path, app.server_address[1])


def taken_over(process: Process) -> bool:
    return "a successor may take over" in process.output()


def test_whoever_joined_is_served_and_goes_on_while_a_proxy_is_replaced(place: Place) -> None:
    with ExitStack() as processes:
        processes.enter_context(place.start_control())
        until((place.folder / "node.key").exists, "the key of the node")
        processes.enter_context(place.start("front"))
        first = processes.enter_context(place.start("card"))
        until(lambda: place.ready("front") and place.ready("card"), "certificates")
        until(lambda: place.ask() == 200, "an answer over an encrypted connection")
        assert get(f"http://127.0.0.1:{place.ports['card'][0]}/")[0] == 403, "in the clear"
        until(lambda: taken_over(first), "the proxy to be replaceable")
        with Load(place.ports["front"][1], "card") as load:
            load.more()
            second = processes.enter_context(place.start("card", "--replace", log="second"))
            until(lambda: taken_over(second), "the successor")
            load.more()
        assert not load.failures
        assert set(load.answers) == {200}
