"""What the proxy asks the application in the kubelet's place, and what it makes of the answer."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator

import pytest

from proxy.probes import Probes
from tests.world.processes import free_port


@pytest.fixture
def application() -> Iterator[tuple[int, list[bytes], list[bytes]]]:
    """A port, the answers that it gives in turn, and what it was asked."""
    answers: list[bytes] = []
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    asked.append(connection.recv(4_096))
                    connection.sendall(answers.pop(0) if answers else b"")

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1], answers, asked
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


def probes(port: int, **http: object) -> Probes:
    return Probes(json.dumps({"app/readiness": {"port": port, "timeout": 20, **http}}), "127.0.0.1")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", ""),
        (b"HTTP/1.0 302 Found\r\n\r\n", ""),
        (b"HTTP/1.1 500 Oh\r\n\r\n", "/healthz?a=b%20c answers 500"),
        (b"SSH-2.0-x\r\n", "/healthz?a=b%20c answers no HTTP"),
        (b"", "/healthz?a=b%20c answers no HTTP"),
    ],
)
def test_an_answer_counts_as_it_does_for_the_kubelet(
    application: tuple[int, list[bytes], list[bytes]], answer: bytes, why: str
) -> None:
    port, answers, asked = application
    answers.append(answer)
    made = probes(port, path="/healthz?a=b c", headers=[["Host", "shop"], ["X-Probe", "1"]])
    assert made.ask("app/readiness") == why
    lines = asked[0].split(b"\r\n")
    assert lines[0] == b"GET /healthz?a=b%20c HTTP/1.1"
    assert {b"host: shop", b"x-probe: 1", b"connection: close"} <= set(lines)


def test_a_port_is_well_when_somebody_listens(application: tuple[int, list[bytes], list[bytes]]) -> None:
    assert probes(application[0]).ask("app/readiness") == ""
    nobody = free_port()
    assert probes(nobody).ask("app/readiness") == f"port {nobody}: Connection refused"


def test_nothing_else_is_asked() -> None:
    with pytest.raises(LookupError):
        probes(1).ask("app/liveness")
    with pytest.raises(ValueError, match="--probes"):
        Probes('{"a": {}}', "127.0.0.1")
