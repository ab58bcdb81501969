"""Two control planes over one state: what a proxy tells one of them, the other knows."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from deploy.ca import command as ca
from deploy.config.look import status
from tests.world import meshes
from tests.world.processes import free_port, get, running, until
from tests.world.proofs import Applicant

TRACE = "0af7651916cd43dd8448eb211c80319c"


class Follower:
    """A proxy's side of one snapshot stream."""

    def __init__(self, url: str, proxy: str) -> None:
        self._url = f"{url}/v1/snapshots/{proxy}"
        self._connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
        self._connection.request("GET", f"/v1/snapshots/{proxy}")
        self._answer = self._connection.getresponse()

    def line(self) -> Any:
        """The next one that says something."""
        while not (text := self._answer.readline().strip()):
            pass
        return json.loads(text)

    def acknowledge(self, epoch: int, *problems: str) -> None:
        connection = http.client.HTTPConnection(self._connection.host, self._connection.port, timeout=30)
        with contextlib.closing(connection):
            body = json.dumps({"epoch": epoch, "accepted": True, "problems": problems})
            connection.request("POST", f"{self._url[self._url.index('/v1') :]}/ack", body)
            assert connection.getresponse().status == 204

    def close(self) -> None:
        self._answer.close()
        self._connection.close()


def flush(url: str) -> None:
    """Orders a flush as `whymesh why` and proxies do."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
    with contextlib.closing(connection):
        connection.request("POST", "/v1/flush", json.dumps({"traces": [TRACE]}))
        assert connection.getresponse().status == 204


class Planes:
    """The one that leads, and the other, to which `card-1` is connected."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.leader, self.other = (f"http://127.0.0.1:{free_port()}" for _ in range(2))

    def card(self, url: str) -> dict[str, Any]:
        (proxy,) = json.loads(get(f"{url}/v1/status")[1])["proxies"]
        assert isinstance(proxy, dict)
        return proxy

    def order(self, *arguments: str) -> str:
        done = CliRunner().invoke(ca, [*arguments, "--state", str(self.state)])
        assert done.exit_code == 0, done.output
        return done.output.strip()


@pytest.fixture
def planes(tmp_path: Path) -> Iterator[Planes]:
    planes = Planes(tmp_path)
    card = meshes.service("card", meshes.endpoint("card-1", 18_001, sidecar=meshes.sidecar(1, 2, 3)))
    path = meshes.write(tmp_path / "mesh.yaml", meshes.mesh(authority={}), card)
    with contextlib.ExitStack() as both:
        for url in (planes.leader, planes.other):
            options = ("-f", str(path), "--listen", url.removeprefix("http://"), "--state", str(planes.state))
            process = both.enter_context(running("proxy.control", *options, log=tmp_path / f"{url[-5:]}.log"))
            process.ready(f"{url}/readyz")
        yield planes


def test_status_flush_and_rotation_cross(planes: Planes) -> None:
    with contextlib.closing(Follower(planes.other, "card-1")) as card:
        card.acknowledge(card.line()["epoch"])
        until(lambda: planes.card(planes.leader)["state"] == "current", "the leader to hear of card-1")
        assert planes.card(planes.leader)["connected"]

        flush(planes.leader)
        assert card.line() == {"flush": [TRACE]}

        applicant = Applicant("card-1", "card")
        assert applicant.ask(planes.other, applicant.joining(planes.order("token", "--proxy", "card-1")))[0] == 200
        until(lambda: planes.card(planes.leader)["certificates"] != [], "the certificate")
        planes.order("rotate", "root")
        card.acknowledge(card.line()["epoch"], "its certificate has ended")
        told = card.line()
        roots = json.loads(get(f"{planes.leader}/v1/status")[1])["authority"]["roots"]
        assert sorted(root["state"] for root in roots) == ["active", "old"], (
            "card-1 has acknowledged it to the other one"
        )
        assert len(told["trust"]["domains"]["mesh.local"]) == 2
        shown = CliRunner().invoke(status, ["--url", planes.leader]).output
        assert "(active, until" in shown
        assert "renewing, waits for card-1" in shown
        assert "CERTIFICATE" in shown
        until(lambda: planes.card(planes.leader)["problems"] == ["its certificate has ended"], "the problem")
        assert "card-1: its certificate has ended" in CliRunner().invoke(status, ["--url", planes.leader]).output
    until(lambda: planes.card(planes.leader)["state"] == "away", "the leader to hear that it is gone")
