"""A proxy is replaced by a new process while it carries traffic, and nobody notices."""

from __future__ import annotations

import http.client
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
    """One instance whose proxy is started more than once."""

    def __init__(self, folder: Path, app: Holding) -> None:
        self.folder, self.app = folder, app
        self.control, self.inbound, self.outbound, self.admin = (free_port() for _ in range(4))
        side = meshes.sidecar(self.inbound, self.outbound, self.admin)
        service = meshes.service("front", meshes.endpoint("front-1", app.server_address[1], sidecar=side))
        self.mesh = meshes.write(folder / "mesh.yaml", meshes.mesh(telemetry={"enabled": False}), service)

    def start_control(self) -> Any:
        arguments = ("-f", str(self.mesh), "--listen", f"127.0.0.1:{self.control}", "--state", str(self.folder / "c"))
        return running("proxy.control", *arguments, log=self.folder / "control.log")

    def start(self, log: str, *more: str) -> Any:
        arguments = ("--instance", "front-1", "--admin", f"127.0.0.1:{self.admin}", "--state", str(self.folder / "s"))
        control = ("--control", f"http://127.0.0.1:{self.control}")
        return running("proxy", *arguments, *control, *more, log=self.folder / f"{log}.log")

    def served_by(self, process: Process) -> None:
        """Returns once the process serves, and can be replaced in its turn."""
        until(lambda: "a successor may take over" in process.output(), "the process to serve")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with serving(Holding()) as server:
        yield Place(tmp_path, server)


def test_no_request_fails_while_processes_take_over_from_each_other(place: Place) -> None:
    with ExitStack() as world:
        world.enter_context(place.start_control()).ready(f"http://127.0.0.1:{place.control}/readyz")
        current = world.enter_context(place.start("p0"))
        place.served_by(current)
        with Load(place.inbound) as load:
            for turn, workers in enumerate(("2", "1", "1"), start=1):
                load.more()
                successor = world.enter_context(place.start(f"p{turn}", "--replace", "--workers", workers))
                place.served_by(successor)
                assert current.wait() == 0, current.output()
                assert "finishes what it has begun" in current.output()
                load.more()
                counted = json.loads(get(f"http://127.0.0.1:{place.admin}/stats")[1])["requests"]
                assert sum(one["count"] for one in counted) > 0, "the admin port is the new one's"
                current = successor
        assert load.failures == []
        assert set(load.answers) == {200}
        assert current.terminate() == 0


def test_a_request_in_flight_is_finished_by_the_process_that_began_it(place: Place) -> None:
    with place.start_control() as control, place.start("old") as old:
        control.ready(f"http://127.0.0.1:{place.control}/readyz")
        place.served_by(old)
        held = http.client.HTTPConnection("127.0.0.1", place.inbound, timeout=30)
        held.request("GET", "/held")
        assert place.app.arrived.wait(30)
        with place.start("new", "--replace") as new:
            place.served_by(new)
            assert get(f"http://127.0.0.1:{place.inbound}/") == (200, "hi")
            until(lambda: "finishes what it has begun" in old.output(), "the old process to drain")
            place.app.go_on.set()
            answer = held.getresponse()
            assert (answer.status, answer.read()) == (200, b"hi")
            assert old.wait() == 0
        held.close()


def test_without_a_predecessor_it_just_starts_and_without_replace_it_takes_nothing(place: Place) -> None:
    with place.start_control() as control, place.start("first", "--replace") as first:
        control.ready(f"http://127.0.0.1:{place.control}/readyz")
        place.served_by(first)
        with place.start("second") as second:
            assert second.wait() == 2
            assert "in use" in second.output()
        assert get(f"http://127.0.0.1:{place.inbound}/") == (200, "hi")
        assert first.terminate() == 0
