"""A whole mesh gets rubbish from every side: each time one clear message, and nothing else breaks."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from deploy.local.ports import DEFAULTS, Ports
from tests.world import meshes
from tests.world.processes import WHYMESH, Process, free_port, get, until, whymesh

APP = """
import http.server
class App(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"hi")
http.server.ThreadingHTTPServer(("127.0.0.1", {port}), App).serve_forever()
"""
RUBBISH = {
    "every byte": bytes(range(256)) * 64,
    "a TLS hello": bytes.fromhex("1603010200010001fc0303") + b"\x5a" * 500,
    "two lengths": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "a huge header": b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 300_000,
    "half a request": b"GET /",
    "HTTP/2 with a broken frame": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 64,
    "nothing": b"",
}


@dataclass
class Up:
    """`whymesh up` over one service, on ports of its own."""

    folder: Path
    ports: Ports
    inbound: int
    outbound: int
    admin: int
    process: Process

    def everyones_ports(self) -> list[int]:
        ours = [int(self.ports.address(name).rpartition(":")[2]) for name in DEFAULTS if name != "ui"]
        return [*ours, self.inbound, self.outbound, self.admin]

    def call(self) -> tuple[int, str]:
        return get(f"http://127.0.0.1:{self.inbound}/")

    def rows(self) -> int:
        query = quote("SELECT count() FROM otel.otel_traces WHERE ScopeName = 'whymesh.proxy'")
        return int(get(f"{self.ports.url('clickhouse_http')}/?query={query}")[1] or 0)

    def unhurt(self) -> None:
        """Traffic flows, its spans are stored, every process says it is ready."""
        before = self.rows()
        assert self.call() == (200, "hi")
        until(lambda: self.rows() > before, "the span of that request in the store")
        for name in ("control", "collector_metrics", "rootcause"):
            assert get(f"{self.ports.url(name)}/readyz")[0] == 200, name
        assert get(f"http://127.0.0.1:{self.admin}/readyz")[0] == 200


def free_offset() -> int:
    """An offset at which all default ports are free at this moment."""
    for offset in range(20_000, 40_000, 97):
        taken = False
        for port in DEFAULTS.values():
            with socket.socket() as probe:
                taken = taken or probe.connect_ex(("127.0.0.1", port + offset)) == 0
        if not taken:
            return offset
    raise AssertionError("no offset leaves all ports free")


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    folder = tmp_path_factory.mktemp("up")
    ports, app = Ports(free_offset()), free_port()
    inbound, outbound, admin = (free_port() for _ in range(3))
    (folder / "app.py").write_text(APP.format(port=app))
    write_mesh(folder, ports, app, meshes.sidecar(inbound, outbound, admin))
    arguments = ("up", "-f", str(folder / "mesh.yaml"), "--state", str(folder / "state"), "--no-ui")
    with whymesh(*arguments, "--port-offset", str(ports.offset), log=folder / "up.log") as process:
        for url in (f"http://127.0.0.1:{admin}", ports.url("rootcause")):
            process.ready(f"{url}/readyz")
        up = Up(folder, ports, inbound, outbound, admin, process)
        until(lambda: up.call() == (200, "hi"), "the service behind its sidecar")
        yield up
        assert process.terminate() == 0


def write_mesh(folder: Path, ports: Ports, app: int, sidecar: dict[str, str], **spec: Any) -> None:
    run = {"command": [sys.executable, "app.py"]}
    meshes.write(
        folder / "mesh.yaml",
        meshes.mesh("bad-input", telemetry={"endpoint": ports.traces, "flush": "100ms"}),
        meshes.service("app", meshes.endpoint("app-1", app, sidecar=sidecar, run=run), **spec),
    )


@pytest.mark.parametrize("rubbish", RUBBISH.values(), ids=RUBBISH.keys())
def test_rubbish_on_every_port(up: Up, rubbish: bytes) -> None:
    for port in up.everyones_ports():
        pour(port, rubbish)
    up.unhurt()


def test_an_otlp_body_that_is_no_protobuf(up: Up) -> None:
    status, answer = post(f"{up.ports.traces}", b"\xff\xfe not protobuf", "application/x-protobuf")
    assert status == 400
    assert answer
    up.unhurt()


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELEC 1", "Syntax error"),
        ("SELECT nothing FROM otel.otel_traces", "nothing"),
        ("SELECT * FROM otel.no_such_table", "no_such_table"),
        ("DROP TABLE otel.otel_traces", "DROP"),
    ],
)
def test_sql_with_an_error(up: Up, sql: str, said: str) -> None:
    status, answer = get(f"{up.ports.url('clickhouse_http')}/?query={quote(sql)}")
    assert status >= 400
    assert "DB::Exception" in answer
    assert said in answer
    command = [WHYMESH, "sql", "--store", up.ports.store, sql]
    printed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert printed.returncode == 1
    assert said in printed.stderr
    assert "Traceback" not in printed.stderr
    up.unhurt()


def test_a_broken_edit_of_the_mesh(up: Up) -> None:
    path = up.folder / "mesh.yaml"
    good = path.read_text()
    path.write_text(good.replace("apiVersion", "apiVresion"))

    def mistakes() -> list[str]:
        found: list[str] = json.loads(get(f"{up.ports.url('control')}/v1/status")[1])["config_errors"]
        return found

    until(lambda: bool(mistakes()), "the mistake to be shown")
    assert any("did you mean apiVersion?" in mistake for mistake in mistakes())
    up.unhurt()
    path.write_text(good)
    until(lambda: not mistakes(), "the mistake to be gone")
    up.unhurt()


def test_a_second_mesh_on_the_same_ports(up: Up, tmp_path: Path) -> None:
    command = [WHYMESH, "up", "-f", str(up.folder / "mesh.yaml"), "--no-ui"]
    arguments = ["--state", str(tmp_path), "--port-offset", str(up.ports.offset)]
    printed = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert printed.returncode == 2
    assert "--port-offset" in printed.stderr
    assert "Traceback" not in printed.stderr
    up.unhurt()


def pour(port: int, rubbish: bytes) -> None:
    """Sends it all and reads to the end of the connection; being refused half-way is as good."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as raw:
        try:
            raw.sendall(rubbish)
            raw.shutdown(socket.SHUT_WR)
            while raw.recv(65_536):
                pass
        except TimeoutError:
            raise
        except OSError:
            return


def post(url: str, body: bytes, content_type: str) -> tuple[int, bytes]:
    """Status and body of a POST."""
    import urllib.error
    import urllib.request

    request = urllib.request.Request(url, body, {"Content-Type": content_type})
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
