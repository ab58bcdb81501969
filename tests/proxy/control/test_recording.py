"""Orders to record everything: in force at once, over by themselves, and never longer than they were given for."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest

from tests.world import meshes
from tests.world.control import Mesh
from tests.world.processes import until

RECORDER = meshes.service("cart", meshes.endpoint("cart-1", 18_009, sidecar=meshes.sidecar(18_211, 18_311, 18_411)))


@pytest.fixture
def mesh(tmp_path: Path) -> Mesh:
    mesh = Mesh(tmp_path)
    mesh.write(RECORDER, telemetry("cart"), telemetry("front"))
    return mesh


def telemetry(service: str) -> dict[str, object]:
    return {
        "apiVersion": meshes.API_VERSION,
        "kind": "Telemetry",
        "metadata": {"name": service},
        "spec": {"targetRef": {"name": service}, "mode": "recorder"},
    }


def mode(mesh: Mesh, proxy: str) -> str:
    """What its proxy is told."""
    with urllib.request.urlopen(f"{mesh.url}/v1/snapshots/{proxy}", timeout=10) as stream:
        told: str = json.loads(stream.readline())["telemetry"]["mode"]
        return told


def ordered(mesh: Mesh) -> dict[str, float]:
    seconds: dict[str, float] = mesh.ask("GET", "/v1/recording")[1]["services"]
    return seconds


def test_an_order_holds_for_its_service_until_it_is_taken_back(mesh: Mesh) -> None:
    with mesh.control() as control:
        assert (mode(mesh, "cart-1"), ordered(mesh)) == ("recorder", {})
        assert mesh.ask("POST", "/v1/recording", {"services": ["cart"], "for_s": 300}) == (204, None)
        assert (mode(mesh, "cart-1"), mode(mesh, "front-1")) == ("all", "recorder")
        assert 0 < ordered(mesh)["cart"] <= 300
        mesh.ask("POST", "/v1/recording", {"services": ["cart"], "for_s": 1})
        assert ordered(mesh)["cart"] > 1, "a shorter order takes nothing from a longer one"
        assert mesh.ask("DELETE", "/v1/recording/cart") == (204, None)
        assert (mode(mesh, "cart-1"), ordered(mesh)) == ("recorder", {})
        assert mesh.ask("DELETE", "/v1/recording/cart")[0] == 404
        assert "cart records everything for a while" in control.output()


def test_an_order_is_over_by_itself(mesh: Mesh) -> None:
    with mesh.control() as control:
        mesh.ask("POST", "/v1/recording", {"services": ["cart", "front"], "for_s": 300})
        mesh.ask("DELETE", "/v1/recording/front")
        mesh.ask("POST", "/v1/recording", {"services": ["front"], "for_s": 1})
        until(lambda: list(ordered(mesh)) == ["cart"], "the short order to end")
        assert (mode(mesh, "front-1"), mode(mesh, "cart-1")) == ("recorder", "all")
        assert "recorded by their settings again: front" in control.output()


def test_an_order_outlives_the_control_plane_but_not_its_time(mesh: Mesh) -> None:
    with mesh.control() as control:
        mesh.ask("POST", "/v1/recording", {"services": ["cart"], "for_s": 300})
        mesh.ask("POST", "/v1/recording", {"services": ["front"], "for_s": 1})
        control.kill()
    with mesh.control():
        assert mode(mesh, "cart-1") == "all"
        until(lambda: list(ordered(mesh)) == ["cart"], "what ended meanwhile to be over")
        assert mode(mesh, "front-1") == "recorder"


@pytest.mark.parametrize(
    ("said", "status", "why"),
    [
        ({"services": ["basket"]}, 404, "no Service basket"),
        ({"services": []}, 400, "services"),
        ({"services": ["cart"], "for_s": 0}, 400, "for_s"),
        ({"services": ["cart"], "for_s": 1e9}, 400, "for_s"),
        ({"services": ["cart"], "mode": "none"}, 400, "mode"),
        (b"{", 400, "JSON"),
    ],
)
def test_what_makes_no_sense_is_refused(mesh: Mesh, said: object, status: int, why: str) -> None:
    with mesh.control():
        answered, body = mesh.ask("POST", "/v1/recording", said)
        assert (answered, why in body["error"]) == (status, True), body
        assert mesh.epoch() == 1


def test_who_may_not_change_the_mesh_may_not_order(mesh: Mesh) -> None:
    with mesh.control():
        stranger = {"Authorization": "Bearer guess"}
        assert mesh.ask("POST", "/v1/recording", {"services": ["cart"]}, **stranger)[0] == 401
        assert ordered(mesh) == {}
