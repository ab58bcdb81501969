"""The control plane is killed under traffic, and the mesh goes on; it comes back, and every proxy follows it again."""

from __future__ import annotations

import json
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
    """A front that calls a back, each beside a proxy that keeps its last snapshot, and a control plane."""

    def __init__(self, folder: Path, app: Holding) -> None:
        self.folder, self.app = folder, app
        self.control = free_port()
        self.sides = {name: [free_port() for _ in range(3)] for name in ("front", "back")}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.control}"

    def write(self, **back: Any) -> None:
        port = self.app.server_address[1]
        services = [
            meshes.service(
                name,
                meshes.endpoint(f"{name}-1", port, sidecar=meshes.sidecar(*three)),
                **(back if name == "back" else {}),
            )
            for name, three in self.sides.items()
        ]
        meshes.write(self.folder / "mesh.yaml", meshes.mesh(telemetry={"enabled": False}), *services)

    def start_control(self) -> Any:
        files = ("-f", str(self.folder / "mesh.yaml"), "--state", str(self.folder / "control"))
        return running(
            "proxy.control", *files, "--listen", f"127.0.0.1:{self.control}", log=self.folder / "control.log"
        )

    def start_proxy(self, name: str, log: str, *more: str) -> Any:
        admin = ("--admin", f"127.0.0.1:{self.sides[name][2]}", "--state", str(self.folder / "proxies"))
        arguments = ("--instance", f"{name}-1", "--control", self.url, *admin, *more)
        return running("proxy", *arguments, log=self.folder / f"{log}.log")

    def states(self) -> dict[str, tuple[str, int]]:
        """Where each proxy is as the control plane sees it, and the epoch it serves."""
        proxies = json.loads(get(f"{self.url}/v1/status")[1])["proxies"]
        return {one["name"]: (one["state"], one["epoch"]) for one in proxies}

    def current(self, epoch: int) -> bool:
        return self.states() == {"front-1": ("current", epoch), "back-1": ("current", epoch)}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with serving(Holding()) as server:
        yield Place(tmp_path, server)


def _serves(process: Process) -> None:
    """Returns once it does, and can be replaced in its turn."""
    until(lambda: "a successor may take over" in process.output(), "the proxy to serve")


def test_traffic_goes_on_without_the_control_plane_and_all_follow_it_again(place: Place) -> None:
    place.write()
    with ExitStack() as world:
        control = world.enter_context(place.start_control())
        control.ready(f"{place.url}/readyz")
        proxies = [world.enter_context(place.start_proxy(name, name)) for name in ("front", "back")]
        for proxy in proxies:
            _serves(proxy)
        until(lambda: place.current(1), "both proxies to serve the first epoch")
        with Load(place.sides["front"][1], host="back") as load:
            load.more(20)
            control.kill()
            load.more(20)
            again = world.enter_context(place.start_proxy("back", "again", "--replace"))
            _serves(again)
            until(lambda: "serving epoch 1" in again.output(), "its last snapshot, which is logged a moment later")
            assert proxies[1].wait() == 0, proxies[1].output()
            load.more(20)
            _refused(place)
            load.more(20)
            place.write(timeout="9s")
            back = world.enter_context(place.start_control())
            back.ready(f"{place.url}/readyz")
            until(lambda: place.current(2), "both proxies to serve what was written meanwhile")
            load.more(20)
        assert load.failures == []
        assert set(load.answers) == {200}


def _refused(place: Place) -> None:
    """The control plane is started with a mistake, which it names; it takes nothing over."""
    place.write(port="eighty")
    with place.start_control() as control:
        assert control.wait() == 2
        assert "spec.port" in control.output()
