"""Registration as processes do it: over HTTP, by the command line, and as a sidecar that joins and leaves."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from tests.world import meshes
from tests.world.control import Mesh
from tests.world.processes import free_port, running, until, whymesh

CART = {"service": "cart", "instance": "cart-7", "app": "10.0.0.7:8080", "version": "v2", "zone": "a"}


@pytest.fixture
def mesh(tmp_path: Path) -> Mesh:
    return Mesh(tmp_path)


def test_an_instance_joins_renews_and_leaves(mesh: Mesh) -> None:
    with mesh.control() as control:
        granted = {"instance": "cart-7", "lease_s": 30.0, "renew_s": 10.0}
        assert mesh.ask("POST", "/v1/instances", CART) == (201, granted)
        assert (mesh.called(), mesh.epoch()) == (["cart-7"], 2)
        assert mesh.ask("POST", "/v1/instances", CART)[0] == 201
        assert mesh.epoch() == 2, "nothing is new"
        assert mesh.ask("PUT", "/v1/instances/cart-7/lease")[0] == 200
        (shown,) = mesh.ask("GET", "/v1/instances")[1]["instances"]
        assert (shown["in_force"], shown["app"], shown["zone"]) == (True, "10.0.0.7:8080", "a")
        assert 0 < shown["left_s"] <= 30
        assert mesh.ask("DELETE", "/v1/instances/cart-7") == (204, None)
        assert (mesh.called(), mesh.epoch(), mesh.registered()) == ([], 3, [])
        status, said = mesh.ask("DELETE", "/v1/instances/cart-7")
        assert (status, "register it again" in said["error"]) == (404, True)
        assert "epoch 2: cart-7 (v2) joined cart" in control.output()


def test_a_lease_that_is_not_renewed_ends(mesh: Mesh) -> None:
    with mesh.control() as control:
        mesh.ask("POST", "/v1/instances", CART)
        mesh.ask("POST", "/v1/instances", CART | {"instance": "cart-8", "app": "10.0.0.8:8080", "lease": "1s"})
        until(lambda: mesh.called() == ["cart-7"], "the short lease to end")
        assert mesh.registered() == ["cart-7"]
        assert mesh.ask("PUT", "/v1/instances/cart-8/lease")[0] == 404
        assert "not renewed, and taken out: cart-8" in control.output()


def test_registrations_and_their_epoch_outlive_the_control_plane(mesh: Mesh) -> None:
    with mesh.control() as control:
        mesh.ask("POST", "/v1/instances", CART)
        control.kill()
    with mesh.control():
        assert (mesh.registered(), mesh.called(), mesh.epoch()) == (["cart-7"], ["cart-7"], 2)
        mesh.ask("DELETE", "/v1/instances/cart-7")
    with mesh.control():
        assert (mesh.registered(), mesh.epoch()) == ([], 3)


def test_what_is_written_goes_before_what_registered(mesh: Mesh) -> None:
    with mesh.control():
        mesh.ask("POST", "/v1/instances", CART)
        mesh.write(meshes.service("pay", meshes.endpoint("cart-7", 18_009)))
        until(lambda: mesh.called() == [], "the edit to be taken")
        (shown,) = mesh.ask("GET", "/v1/instances")[1]["instances"]
        assert (shown["in_force"], "name of another instance" in shown["why"]) == (False, True)
        mesh.write()
        until(lambda: mesh.called() == ["cart-7"], "the instance to be back")


def test_a_registration_that_cannot_be_is_refused_in_a_sentence(mesh: Mesh) -> None:
    refusals: list[tuple[Any, int, str]] = [
        (b"{", 400, "not a registration: Invalid JSON"),
        (CART | {"lease": "soon"}, 400, "not a registration: lease: "),
        (CART | {"service": "basket"}, 409, "no Service basket is in the configuration; known: front, cart"),
        (CART | {"instance": "front-1"}, 409, "front-1 is the name of another instance"),
    ]
    with mesh.control():
        for said, status, error in refusals:
            answered, body = mesh.ask("POST", "/v1/instances", said)
            assert (answered, body["error"][: len(error)]) == (status, error)
        assert mesh.ask("POST", "/v1/instances", CART, **{"Content-Type": "text/plain"})[0] == 415
        assert mesh.epoch() == 1


def test_a_wrong_token_is_refused_and_the_right_one_taken(mesh: Mesh) -> None:
    token = mesh.folder / "token"
    token.write_text("a-long-secret\n")
    with mesh.control("--token", str(token)):
        for method, path in (("POST", ""), ("PUT", "/cart-7/lease"), ("DELETE", "/cart-7")):
            status, said = mesh.ask(method, f"/v1/instances{path}", CART, Authorization="Bearer guess")
            assert (status, "--token" in said["error"]) == (403, True)
        assert mesh.ask("POST", "/v1/instances", CART, Authorization="Bearer a-long-secret")[0] == 201


def test_the_command_line_registers_and_deregisters(mesh: Mesh, tmp_path: Path) -> None:
    def command(*arguments: str) -> tuple[int, str]:
        with whymesh(*arguments, "--control", mesh.url, log=tmp_path / "command.log") as process:
            return process.wait(), process.output()

    def grows(left: list[float]) -> bool:
        left += [one["left_s"] for one in mesh.ask("GET", "/v1/instances")[1]["instances"]]
        return any(later > sooner for sooner, later in itertools.pairwise(left))

    with mesh.control():
        said = command("register", "cart", "cart-7", "--app", "10.0.0.7:8080", "--version", "v2")
        assert said == (0, "cart-7 is an instance of cart; renew it every 10 s\n")
        assert mesh.called() == ["cart-7"]
        assert command("deregister", "cart-7") == (0, "cart-7 is no longer registered\n")
        assert command("deregister", "cart-7")[0] == 2
        assert command("register", "basket", "b-1", "--app", "10.0.0.7:8080") == (
            2,
            "Error: no Service basket is in the configuration; known: front, cart\n",
        )
        holding = ("register", "cart", "cart-8", "--app", "10.0.0.8:8080", "--lease", "2s", "--hold")
        with whymesh(*holding, "--control", mesh.url, log=tmp_path / "hold.log") as process:
            until(lambda: mesh.called() == ["cart-8"], "the instance to join")
            left: list[float] = []
            until(lambda: grows(left), "a renewal")
            assert process.terminate() == 0
        assert mesh.called() == []


def test_a_sidecar_joins_when_it_starts_and_leaves_before_it_drains(mesh: Mesh, tmp_path: Path) -> None:
    app, inbound, outbound, admin = (free_port() for _ in range(4))
    options = ("--instance", "cart-9", "--register", "cart", "--app", f"127.0.0.1:{app}", "--lease", "2s")
    places = ("--inbound", f"127.0.0.1:{inbound}", "--outbound", f"127.0.0.1:{outbound}")
    process = ("--admin", f"127.0.0.1:{admin}", "--control", mesh.url)
    with running("proxy", *options, *places, *process, log=tmp_path / "sidecar.log") as sidecar:
        until(lambda: "trying again" in sidecar.output(), "the sidecar to look for its control plane")
        with mesh.control() as control:
            sidecar.ready(f"http://127.0.0.1:{admin}/readyz")
            assert mesh.called() == ["cart-9"]
            mesh.ask("DELETE", "/v1/instances/cart-9")
            until(lambda: mesh.called() == ["cart-9"], "an instance that was forgotten to register again")
            assert sidecar.terminate() == 0
            assert mesh.called() == []
            assert "cart-9 (v1) left cart" in control.output()
