"""`whymesh up` with a mesh.yaml as a user would write it: two services that know nothing of the demo."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.local.ports import Ports, PortTaken, check_free
from deploy.local.processes import wanted_ports
from deploy.local.state import read_running
from tests.world import meshes
from tests.world.processes import free_port, get, until

WHYMESH = (sys.executable, "-c", "from deploy.cli import main; main(prog_name='whymesh')")
ASKS_BACKEND = """
import http.server, os, urllib.request
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        call = urllib.request.Request("http://backend/stock", headers={
            name: self.headers[name] for name in ("traceparent", "tracestate") if name in self.headers})
        body = urllib.request.urlopen(call).read()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def ports() -> Ports:
    for offset in random.sample(range(300, 13_000), 20):
        try:
            check_free(wanted_ports(Ports(offset), ui=False))
        except PortTaken:
            continue
        return Ports(offset)
    pytest.fail("no free ports")


class World:
    """A mesh.yaml with a front that asks a backend, each beside its sidecar."""

    def __init__(self, folder: Path, ports: Ports) -> None:
        self.inbound, self.web = free_port(), free_port()
        (folder / "stock").write_text("42 in stock")
        front, back = free_port(), free_port()
        beside_front = meshes.sidecar(self.inbound, free_port(), free_port())
        beside_back = meshes.sidecar(free_port(), free_port(), free_port())
        admin = f"127.0.0.1:{free_port()}"
        outside = [{"kind": "Gateway", "name": "edge"}]
        ask = {"command": [sys.executable, "-c", ASKS_BACKEND], "env": {"PORT": str(front)}}
        serve = {"command": [sys.executable, "-m", "http.server", str(back), "--bind", "127.0.0.1"]}
        self.file = meshes.write(
            folder / "mesh.yaml",
            meshes.mesh("tiny", authority={}, telemetry={"endpoint": ports.traces, "flush": "50ms"}),
            meshes.service("front", meshes.endpoint("front-1", front, sidecar=beside_front, run=ask)),
            meshes.service("backend", meshes.endpoint("backend-1", back, sidecar=beside_back, run=serve)),
            meshes.gateway("edge", meshes.listener("web", self.web, "tiny.example.com"), admin=admin),
            meshes.route("web", "", {"backendRefs": [{"name": "front"}]}, parentRefs=outside),
        )


@contextmanager
def up(world: World, ports: Ports, state: Path) -> Iterator[subprocess.Popen[bytes]]:
    rules = state / "rootcause.yaml"
    rules.write_text(
        "objectives: []\nrules:\n- name: asked\n  every_s: 5\n"
        "  sql: SELECT Service AS service, sum(Calls) AS value FROM otel.mesh_routes GROUP BY 1 HAVING value > 4\n"
    )
    arguments = ("up", "-f", str(world.file), "--no-ui", "--port-offset", str(ports.offset), "--state", str(state))
    arguments += ("--rootcause", str(rules))
    with (state / "up.log").open("wb") as log, subprocess.Popen([*WHYMESH, *arguments], stderr=log) as process:
        try:

            def announced() -> bool:
                assert process.poll() is None, (state / "up.log").read_text()
                return read_running(state / "tiny") is not None

            until(announced, "the mesh to be up", patience_s=60)
            yield process
        finally:
            process.kill()


def stored(state: Path, question: str) -> list[dict[str, object]]:
    asked = [*WHYMESH, "sql", "--json", "--state", str(state), question]
    lines = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=60).stdout
    return [json.loads(line) for line in lines.splitlines()]


def test_applications_talk_through_the_mesh_and_each_request_is_in_the_store(ports: Ports, tmp_path: Path) -> None:
    world = World(tmp_path, ports)
    with up(world, ports, tmp_path) as process:
        for _ in range(5):
            assert get(f"http://127.0.0.1:{world.inbound}/") == (200, "42 in stock")
        question = (
            "SELECT SpanAttributes['mesh.source.service'] AS source, SpanAttributes['mesh.destination.service'] AS "
            "destination, toString(SpanKind) AS kind, count() AS n, uniqExact(TraceId) AS traces "
            "FROM otel.otel_traces WHERE ScopeName = 'whymesh.proxy' GROUP BY ALL ORDER BY ALL"
        )

        def row(source: str, destination: str, kind: str) -> dict[str, object]:
            return {"source": source, "destination": destination, "kind": kind, "n": 5, "traces": 5}

        expected = [row("", "front", "Server"), row("front", "backend", "Client"), row("front", "backend", "Server")]
        until(lambda: stored(tmp_path, question) == expected, "five traces of three spans")
        captured = (
            "SELECT Source, sum(Counted) AS counted, sum(Captured) AS captured FROM otel.mesh_captured GROUP BY 1"
        )
        edges = [{"Source": source, "counted": 5, "captured": 5} for source in ("", "front")]
        until(lambda: stored(tmp_path, f"{captured} ORDER BY 1") == edges, "the proxies' own counts")

        def alarms() -> set[str]:
            asked = [*WHYMESH, "why", "--json", "--state", str(tmp_path)]
            answer = json.loads(subprocess.run(asked, capture_output=True, text=True, check=False, timeout=60).stdout)
            return {alarm["title"] for alarm in answer["alarms"]}

        until(lambda: alarms() == {"asked: backend", "asked: front"}, "the rule to fire for both")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert get(f"http://127.0.0.1:{world.inbound}/")[0] == 0


def test_clients_outside_reach_the_mesh_through_its_gateway(ports: Ports, tmp_path: Path) -> None:
    world = World(tmp_path, ports)
    with up(world, ports, tmp_path) as process:
        asked = urllib.request.Request(f"http://127.0.0.1:{world.web}/", headers={"Host": "tiny.example.com"})
        with urllib.request.urlopen(asked, timeout=10) as response:
            assert response.read() == b"42 in stock"
        question = (
            "SELECT ServiceName AS service, toString(SpanKind) AS kind, "
            "SpanAttributes['mesh.source.service'] AS source, "
            "SpanAttributes['mesh.destination.service'] AS destination "
            "FROM otel.otel_traces WHERE ScopeName = 'whymesh.proxy' ORDER BY Timestamp"
        )
        whole = [
            {"service": "edge", "kind": "Server", "source": "", "destination": "edge"},
            {"service": "edge", "kind": "Client", "source": "edge", "destination": "front"},
            {"service": "front", "kind": "Server", "source": "edge", "destination": "front"},
            {"service": "front", "kind": "Client", "source": "front", "destination": "backend"},
            {"service": "backend", "kind": "Server", "source": "front", "destination": "backend"},
        ]
        until(lambda: stored(tmp_path, question) == whole, "one trace from the gateway to the backend")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_an_application_that_dies_is_told_and_not_restarted(ports: Ports, tmp_path: Path) -> None:
    world = World(tmp_path, ports)
    with up(world, ports, tmp_path) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        backend = next(pid for pid in children if b"\0--bind\0" in Path(f"/proc/{pid}/cmdline").read_bytes())
        os.kill(int(backend), signal.SIGKILL)
        until(lambda: "died: backend-1 ended with signal 9" in (tmp_path / "up.log").read_text(), "the news")
        assert get(f"http://127.0.0.1:{world.inbound}/")[0] >= 500


def test_a_mistake_in_the_configuration_is_told_with_its_path(tmp_path: Path) -> None:
    document = meshes.service("front", {**meshes.endpoint("front-1"), "ap": "127.0.0.1:1"})
    path = meshes.write(tmp_path / "mesh.yaml", document)
    ran = subprocess.run([*WHYMESH, "up", "-f", str(path)], capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 2
    assert "spec.endpoints[0].ap: unknown key; did you mean app?" in ran.stderr
    assert ran.stderr.startswith("whymesh up: the mesh configuration is not taken")


def test_a_mistake_in_the_rules_is_told_with_its_path(tmp_path: Path) -> None:
    path = meshes.write(tmp_path / "mesh.yaml", meshes.service("front", meshes.endpoint("front-1")))
    (tmp_path / "rootcause.yaml").write_text("rules:\n- {name: r, sql: DROP TABLE x}\n")
    asked = [*WHYMESH, "up", "-f", str(path), "--rootcause", str(tmp_path / "rootcause.yaml")]
    ran = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 2
    assert "rootcause.yaml: rules.0.sql: a rule asks: its sql starts with SELECT or WITH" in ran.stderr
