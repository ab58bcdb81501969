"""Every operation of the control plane with whatever comes: it says what is wrong, and gives nothing away."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.control.api.openapi import described
from tests.bench.measure import rss_mb
from tests.world import meshes
from tests.world.mutations import mutated
from tests.world.processes import Process, free_port, get, running
from tests.world.proofs import Applicant

SERVICES = [
    meshes.service("front", meshes.endpoint("front-1", sidecar=meshes.sidecar(1, 2, 3))),
    meshes.service("cart", meshes.endpoint("cart-1", 18_002)),
]
SOUND = [
    json.dumps(body).encode()
    for body in (
        {"apply": SERVICES, "delete": [{"kind": "Service", "namespace": "default", "name": "x"}]},
        SERVICES[1],
        meshes.access("cart", "cart", {"callers": [{"name": "front"}]}),
        meshes.route("r", "cart", {"matches": [{"path": {"value": "/a"}}], "backendRefs": meshes.backends("cart")}),
        {"service": "cart", "instance": "cart-9", "app": "10.0.0.9:80", "lease": "30s"},
        {"caller": "front", "to": "cart", "method": "POST", "path": "/pay", "headers": [["x", "y"]], "claims": {}},
        {"services": ["cart"], "for_s": 1},
        {"epoch": 1, "accepted": True, "reason": ""},
        {"traces": ["0af7651916cd43dd8448eb211c80319c"]},
        Applicant("front-1", "front").joining("whymesh-token.000000000000." + "A" * 43),
        {"service": "front", "csr": "", "proof": {"certificate": "", "signature": ""}},
    )
]
DEEP = [b"[" * 30_000, b'{"apply":' * 10_000, b'{"claims":' * 3_000 + b"1" + b"}" * 3_000, b'"' + b"\\ud800" * 9 + b'"']
OPERATIONS = sorted(
    (method.upper(), path)
    for path, item in described()["paths"].items()
    for method in item
    if path != "/v1/snapshots/{proxy}" and not path.startswith("/v1/tokens")
)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
values = st.recursive(
    leaves, lambda deeper: st.lists(deeper, max_size=4) | st.dictionaries(st.text(max_size=8), deeper)
)
bodies = (
    st.sampled_from(SOUND)
    | st.sampled_from(list(mutated(SOUND, 2_000, seed=6)))
    | values.map(lambda value: json.dumps(value).encode())
    | st.sampled_from(DEEP)
    | st.binary(max_size=200)
)
words = st.sampled_from(["front-1", "cart", "Service", "default", "0", "99999999999999999999", "%ff", ".."]) | st.text(
    min_size=1, max_size=20
)
"""What stands in the place of a name in a path; `%ff` is no UTF-8."""


class Plane:
    """A control plane with an authority, as a process, and one connection to it."""

    def __init__(self, port: int, process: Process, folder: Path) -> None:
        self.port, self.process, self.folder = port, process, folder
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)

    def ask(self, method: str, path: str, body: bytes | None, content: str) -> tuple[int, bytes]:
        self.connection.request(method, path, body, {"Content-Type": content})
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def certificates(self) -> list[str]:
        lines = (self.folder / "state/authority/audit.log").read_text().splitlines()
        return [line for line in lines if json.loads(line)["what"] in {"join", "renew"}]


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    folder, port = tmp_path_factory.mktemp("hostile"), free_port()
    path = meshes.write(folder / "mesh.yaml", meshes.mesh(authority={}), *SERVICES)
    arguments = ("-f", str(path), "--state", str(folder / "state"), "--listen", f"127.0.0.1:{port}")
    with running("proxy.control", *arguments, log=folder / "log") as process:
        process.ready(f"http://127.0.0.1:{port}/readyz")
        plane = Plane(port, process, folder)
        with contextlib.closing(plane.connection):
            yield plane


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.sampled_from(OPERATIONS), st.lists(words, min_size=3, max_size=3), bodies, st.booleans())
def test_whatever_is_asked_is_answered(
    plane: Plane, operation: tuple[str, str], names: list[str], body: bytes, as_json: bool
) -> None:
    method, path = operation
    for name in names:
        before, brace, rest = path.partition("{")
        path = before + (name if name == "%ff" else quote(name, safe="")) + rest.partition("}")[2] if brace else path
    content = "application/json" if as_json else "text/plain"
    status, said = plane.ask(method, path, None if method == "GET" else body, content)
    assert 200 <= status < 500, (status, said)
    if status >= 400 and said.startswith(b"{"):
        assert json.loads(said)["error"]


def test_nothing_comes_of_what_is_sent_again_and_again(plane: Plane) -> None:
    before = rss_mb([plane.process.pid])
    for body in SOUND * 20:
        plane.ask("POST", "/v1/identities/front-1", body, "application/json")
        plane.ask("POST", "/v1/policies/check", body, "application/json")
    assert rss_mb([plane.process.pid]) - before < 30
    assert plane.certificates() == []
    assert "Traceback" not in plane.process.output()


def test_connections_that_say_nothing_or_never_end_keep_nobody_out(plane: Plane) -> None:
    begun = (
        b"",
        b"GET /v1/st",
        b"POST /v1/config HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{",
        b"\x16\x03\x01\x02",
    )
    with contextlib.ExitStack() as hostile:
        for number in range(200):
            connection = hostile.enter_context(socket.create_connection(("127.0.0.1", plane.port), timeout=20))
            connection.sendall(begun[number % len(begun)])
        assert get(f"http://127.0.0.1:{plane.port}/readyz")[0] == 200
        assert (
            Applicant("front-1", "front").ask(f"http://127.0.0.1:{plane.port}", _wish())[1]["code"] == "token_unknown"
        )
    assert get(f"http://127.0.0.1:{plane.port}/v1/status")[0] == 200


def _wish() -> dict[str, Any]:
    wish: dict[str, Any] = json.loads(SOUND[9])
    return wish


def test_a_head_without_end_is_refused(plane: Plane) -> None:
    with socket.create_connection(("127.0.0.1", plane.port), timeout=20) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000)
        assert connection.recv(100).split()[1] == b"400"
