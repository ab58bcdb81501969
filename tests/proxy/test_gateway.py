"""A Gateway as a process of its own: `whymesh proxy --gateway`, configured by the control plane."""

from __future__ import annotations

import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from deploy.tap import command as tap
from tests.world import meshes
from tests.world.processes import Process, free_port, get, running, until
from tests.world.threaded import Answering, Application, serving


class Mirror(Answering):
    """Answers with the headers that came."""

    def body(self) -> bytes:
        return json.dumps(dict(self.headers.items())).encode()


@pytest.fixture
def app() -> Iterator[int]:
    with serving(Application(Mirror)) as application:
        yield application.port


def ask(port: int, host: str) -> tuple[int, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"Host": host})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


class Edge:
    """A mesh of one service behind one gateway."""

    def __init__(self, folder: Path, app: int) -> None:
        self.folder, self.app = folder, app
        self.control, self.web, self.admin = free_port(), free_port(), free_port()

    def write(self, *hostnames: str) -> Path:
        ref = {"kind": "Gateway", "name": "edge"}
        admin = f"127.0.0.1:{self.admin}"
        return meshes.write(
            self.folder / "mesh.yaml",
            meshes.mesh(telemetry={"enabled": False}),
            meshes.service("shop", meshes.endpoint("shop-1", self.app)),
            meshes.gateway("edge", meshes.listener("web", self.web), admin=admin),
            meshes.route("r", "", {"backendRefs": [{"name": "shop"}]}, parentRefs=[ref], hostnames=list(hostnames)),
        )

    @contextlib.contextmanager
    def started(self) -> Iterator[Process]:
        state = str(self.folder / "state")
        here = ("-f", str(self.folder / "mesh.yaml"), "--listen", f"127.0.0.1:{self.control}")
        control = ("--control", f"http://127.0.0.1:{self.control}")
        options = ("--gateway", "edge", "--admin", f"127.0.0.1:{self.admin}", "--state", state)
        with (
            running("proxy.control", *here, "--state", str(self.folder / "c"), log=self.folder / "control.log"),
            running("proxy", *options, *control, log=self.folder / "edge.log") as edge,
        ):
            edge.ready(f"http://127.0.0.1:{self.admin}/readyz")
            yield edge


def test_a_gateway_serves_what_its_routes_say_and_follows_their_changes(tmp_path: Path, app: int) -> None:
    edge = Edge(tmp_path, app)
    edge.write("shop.example.com")
    with edge.started() as process:
        status, text = ask(edge.web, "shop.example.com")
        said: dict[str, Any] = {name.lower(): value for name, value in json.loads(text).items()}
        assert (status, said["x-mesh-source"], said["x-forwarded-for"]) == (200, "edge/v1/edge", "127.0.0.1")
        assert ask(edge.web, "shop")[0] == 404
        edge.write("*.example.org")
        until(lambda: ask(edge.web, "a.example.org")[0] == 200, "the new route")
        status, text = ask(edge.web, "shop.example.com")
        assert (status, "shop.example.com" in text) == (404, True)
        stats = json.loads(get(f"http://127.0.0.1:{edge.admin}/stats")[1])
        assert sum(one["count"] for one in stats["requests"] if one["reason"] == "unknown_host") >= 2
        (proxy,) = json.loads(get(f"http://127.0.0.1:{edge.control}/v1/status")[1])["proxies"]
        assert (proxy["name"], proxy["connected"], proxy["refused"]) == ("edge", True, None)
        of_gateway = ["edge", "--control", f"http://127.0.0.1:{edge.control}", "--since", "5m"]
        until(lambda: "outside > edge  GET" in CliRunner().invoke(tap, of_gateway).output, "its requests to be shown")
        assert process.terminate() == 0


def test_a_proxy_is_for_one_thing(tmp_path: Path) -> None:
    with running("proxy", "--gateway", "edge", "--node", "n", log=tmp_path / "log") as process:
        assert process.wait() == 2
        assert "one of --instance, --node and --gateway" in process.output()
