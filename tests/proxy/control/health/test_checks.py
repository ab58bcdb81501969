"""Checked instances leave the snapshots of their callers, and come back: with a real control plane and real servers."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from proxy.control.addresses import asked_at
from proxy.control.documents import EndpointSpec
from tests.world import meshes
from tests.world.control import Mesh
from tests.world.processes import free_port, get, until

PORTS = [free_port() for _ in range(3)]


@pytest.fixture
def mesh(tmp_path: Path) -> Mesh:
    made = Mesh(tmp_path)
    fast = {"interval": "100ms", "fails": 2, "passes": 1}
    pay = meshes.service(
        "pay", meshes.endpoint("pay-1", 18_003), meshes.endpoint("pay-2", 18_004), health={"ttl": "1h"}
    )
    cart = meshes.service(
        "cart", *(meshes.endpoint(f"cart-{n}", port) for n, port in enumerate(PORTS)), health={"tcp": {}, **fast}
    )
    made.write(cart, pay)
    return made


@pytest.fixture
def listening() -> Iterator[dict[int, socket.socket]]:
    with ExitStack() as stack:
        yield {port: stack.enter_context(socket.create_server(("127.0.0.1", port), backlog=128)) for port in PORTS}


def health(mesh: Mesh, service: str) -> Any:
    services = json.loads(get(f"{mesh.url}/v1/health")[1])["services"]
    return next(one for one in services if one["service"] == service)


def states(mesh: Mesh, service: str) -> list[str]:
    return [one["state"] for one in health(mesh, service)["instances"]]


def test_who_does_not_answer_is_called_no_more_until_it_does(mesh: Mesh, listening: dict[int, socket.socket]) -> None:
    with mesh.control() as control:
        until(lambda: states(mesh, "cart") == ["well"] * 3, "all to be found well")
        assert mesh.called() == ["cart-0", "cart-1", "cart-2"]
        listening[PORTS[1]].close()
        until(lambda: mesh.called() == ["cart-0", "cart-2"], "the one that is gone to be left out")
        assert json.loads(get(f"{mesh.url}/v1/status")[1])["left_out"] == {"cart-1": "Connection refused"}
        shown = health(mesh, "cart")["instances"][1]
        assert (shown["state"], shown["why"], shown["called"]) == ("unwell", "Connection refused", False)
        assert "cart-1 of cart is unwell and no longer called: Connection refused" in control.output()
        assert "whymesh_control_instances_left_out 1.0" in get(f"{mesh.url}/metrics")[1]

        listening[PORTS[0]].close()
        until(lambda: health(mesh, "cart")["panicking"], "too few to be left")
        until(lambda: len(mesh.called()) == 3, "all to be called again")
        assert "cart: too few instances are well to leave any out; all are called" in control.output()
        assert "whymesh_control_services_panicking 1.0" in get(f"{mesh.url}/metrics")[1]

        listening[PORTS[1]] = socket.create_server(("127.0.0.1", PORTS[1]), backlog=128)
        with listening[PORTS[1]]:
            until(lambda: mesh.called() == ["cart-1", "cart-2"], "the one that is back to be called")


def test_instances_report_themselves(mesh: Mesh) -> None:
    with mesh.control() as control:
        assert states(mesh, "pay") == ["unknown", "unknown"]
        assert mesh.ask("PUT", "/v1/instances/pay-2/health", {"well": False, "why": "disk full"})[0] == 204
        until(
            lambda: "pay-2 of pay is unwell and no longer called: disk full" in control.output(), "the report to count"
        )
        assert mesh.ask("PUT", "/v1/instances/pay-2/health", {"well": True})[0] == 204
        until(lambda: "pay-2 of pay is called again" in control.output(), "the other report to count")
        for name in ("cart-1", "nobody"):
            assert mesh.ask("PUT", f"/v1/instances/{name}/health", {"well": True})[0] == 404
        assert mesh.ask("PUT", "/v1/instances/pay-2/health", {"well": "perhaps"})[0] == 400


def test_silence_is_a_report_and_a_registered_instance_is_checked_as_any(mesh: Mesh) -> None:
    quiet = meshes.service("pay", meshes.endpoint("pay-1", 18_003), health={"ttl": "100ms", "panic": 0})
    mesh.write(quiet)
    with mesh.control():
        until(lambda: states(mesh, "pay") == ["unwell"], "silence to be noticed")
        assert health(mesh, "pay")["instances"][0]["why"] == "has not reported for 0.1 s"
        joined = {"service": "pay", "instance": "pay-9", "app": "10.0.0.9:80"}
        assert mesh.ask("POST", "/v1/instances", joined)[0] == 201
        until(lambda: states(mesh, "pay") == ["unwell", "unwell"], "the one that joined to be missed, too")
        mesh.ask("DELETE", "/v1/instances/pay-9")
        assert states(mesh, "pay") == ["unwell"]


@pytest.mark.parametrize(
    ("host", "app", "place"),
    [
        (None, "127.0.0.1:80", "127.0.0.1:80"),
        ("here", "127.0.0.1:80", "127.0.0.1:80"),
        ("there", "127.0.0.1:80", "10.0.0.7:15006"),
        ("there", "unix:/run/app.sock", "10.0.0.7:15006"),
        ("there", "10.0.0.7:80", "10.0.0.7:80"),
    ],
)
def test_the_application_itself_is_asked_wherever_that_is_possible(host: str | None, app: str, place: str) -> None:
    sidecar = {"inbound": "10.0.0.7:15006", "outbound": "127.0.0.1:15001", "admin": "127.0.0.1:15020"}
    endpoint = EndpointSpec.model_validate({"instance": "a", "app": app, "host": host, "sidecar": sidecar})
    assert asked_at(endpoint, "here") == place
