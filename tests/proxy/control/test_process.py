"""The control plane as a process: streams, edits, refusals, restarts."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.world import meshes
from tests.world.processes import Process, Program, free_port, get, running, until

FRONT = meshes.endpoint("front-1", sidecar=meshes.sidecar(1, 2, 3))


class Control:
    """A running control plane and the file it follows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "mesh.yaml"
        self.port = free_port()
        self.arguments = (
            *("--file", str(self.path), "--state", str(folder / "state")),
            *("--listen", f"127.0.0.1:{self.port}"),
        )
        self.write()

    def write(self, **spec: Any) -> None:
        meshes.write(self.path, meshes.service("front", FRONT, **spec))

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def status(self) -> Any:
        return json.loads(get(self.url("/v1/status"))[1])

    @contextlib.contextmanager
    def request(self, method: str, path: str, body: bytes | None = None) -> Iterator[http.client.HTTPResponse]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        connection.request(method, path, body)
        with contextlib.closing(connection), connection.getresponse() as response:
            yield response


@pytest.fixture
def control(tmp_path: Path) -> Control:
    return Control(tmp_path)


@pytest.fixture
def process(control: Control, tmp_path: Path) -> Iterator[Process]:
    with running("proxy.control", *control.arguments, log=tmp_path / "control.log") as process:
        process.ready(control.url("/readyz"))
        yield process


def test_an_edit_reaches_a_follower_within_a_second(control: Control, process: Process) -> None:
    with control.request("GET", "/v1/snapshots/front-1") as stream:
        assert json.loads(stream.readline())["epoch"] == 1
        edited = time.monotonic()
        control.write(timeout="3s")
        second = json.loads(stream.readline())
    assert time.monotonic() - edited < 1.0
    assert (second["epoch"], second["workloads"][0]["services"][0]["timeout_ms"]) == (2, 3000)


def test_a_mistake_leaves_the_last_good_configuration_in_force(control: Control, process: Process) -> None:
    control.write(timeout="soon")
    until(lambda: bool(control.status()["config_errors"]), "the mistake to be shown")
    status = control.status()
    assert status["epoch"] == 1
    assert "spec.timeout: expected a duration" in status["config_errors"][0]
    control.write(timeout="4s")
    until(lambda: control.status()["epoch"] == 2, "the corrected file to be taken")
    assert control.status()["config_errors"] == []


def test_a_comment_is_no_new_epoch(control: Control, process: Process) -> None:
    control.path.write_text(control.path.read_text() + "# reviewed\n")
    control.write(timeout="5s")
    until(lambda: control.status()["epoch"] > 1, "the edit to be taken")
    assert control.status()["epoch"] == 2


def test_who_serves_what_is_known(control: Control, process: Process) -> None:
    with control.request("GET", "/v1/snapshots/front-1") as stream:
        stream.readline()
        said = json.dumps({"epoch": 1, "accepted": True}).encode()
        with control.request("POST", "/v1/snapshots/front-1/ack", said) as answer:
            assert answer.status == 204
        (proxy,) = control.status()["proxies"]
        seen = {"name": "front-1", "instances": ["front-1"], "connected": True, "epoch": 1, "refused": None}
        assert seen.items() <= proxy.items()
        assert (proxy["due"], proxy["state"], proxy["since"]) == (1, "current", None)
        assert "whymesh_control_proxies_connected 1.0" in get(control.url("/metrics"))[1]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/snapshots/nobody/ack", b"{}", 404),
        ("/v1/snapshots/front-1/ack", b"not json", 400),
        ("/v1/snapshots/front-1/ack", b'{"epoch": -1, "accepted": true}', 400),
        ("/v1/snapshots/front-1/ack", b"x" * 100_000, 413),
    ],
)
def test_a_wrong_acknowledgement_is_answered(
    control: Control, process: Process, path: str, body: bytes, status: int
) -> None:
    with control.request("POST", path, body) as answer:
        assert answer.status == status


def test_an_unknown_proxy_is_told_who_there_is(control: Control, process: Process) -> None:
    status, body = get(control.url("/v1/snapshots/nobody"))
    assert (status, "known proxies: front-1" in body) == (404, True)


def test_garbage_on_the_port_disturbs_nobody(control: Control, process: Process) -> None:
    with socket.create_connection(("127.0.0.1", control.port)) as raw:
        raw.sendall(bytes(range(256)) * 40)
        raw.settimeout(5)
        raw.recv(4096)
    assert get(control.url("/healthz"))[0] == 200


def test_epochs_grow_over_a_restart(control: Control, tmp_path: Path) -> None:
    for expected, timeout in ((1, "15s"), (1, "15s"), (2, "9s")):
        control.write(timeout=timeout)
        with running("proxy.control", *control.arguments, log=tmp_path / "control.log") as process:
            process.ready(control.url("/readyz"))
            assert control.status()["epoch"] == expected
            assert process.terminate() == 0


def test_a_broken_file_at_the_start_is_one_clear_message(control: Control, tmp_path: Path) -> None:
    control.write(port="eighty")
    with running("proxy.control", *control.arguments, log=tmp_path / "control.log") as process:
        assert process.wait() == 2
        assert "whymesh control: the mesh configuration is not taken:" in process.output()
        assert "spec.port" in process.output()
        assert "Traceback" not in process.output()


def test_a_taken_port_is_one_clear_message(control: Control, tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", control.port)),
        running("proxy.control", *control.arguments, log=tmp_path / "control.log") as process,
    ):
        assert process.wait() == 2
        assert process.output() == (
            f"whymesh control: --listen 127.0.0.1:{control.port}: Address already in use; "
            "another control plane may be running\n"
        )


def test_more_may_follow_than_a_process_may_open_files_at_first(control: Control, tmp_path: Path) -> None:
    line = ("-c", 'ulimit -Sn 100; exec "$@"', "sh", sys.executable, "-m", "proxy.control", *control.arguments)
    process = Program("sh", *line, log=tmp_path / "control.log")
    try:
        process.ready(control.url("/readyz"))
        with contextlib.ExitStack() as others:
            for _ in range(150):
                others.enter_context(socket.create_connection(("127.0.0.1", control.port), timeout=20))
            assert get(control.url("/readyz"))[0] == 200
    finally:
        process.kill()
