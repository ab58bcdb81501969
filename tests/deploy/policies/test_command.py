"""`whymesh policy check`: the decision on a file, and the same from a running control plane."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deploy.policies.command import command
from tests.world import meshes
from tests.world.processes import free_port, running

ORDERS = meshes.service("orders", meshes.endpoint("orders-1", sidecar=meshes.sidecar(1, 2, 3)))
PAY = meshes.service("pay", meshes.endpoint("pay-1", sidecar=meshes.sidecar(4, 5, 6)))
RULE = {
    "name": "pays",
    "callers": [{"name": "orders"}],
    "matches": [{"method": "POST", "path": {"value": "/pay"}}],
    "claims": [{"name": "roles", "values": ["clerk"]}],
}


def written(folder: Path) -> Path:
    return meshes.write(folder / "mesh.yaml", ORDERS, PAY, meshes.access("pay", "pay", RULE))


def check(*arguments: str) -> Result:
    return CliRunner().invoke(command, ["check", *arguments])


ASKED = ("--from", "orders", "--to", "pay", "--method", "post", "--path", "/pay/1", "--claim", 'roles=["x","clerk"]')


def test_a_file_says_who_may(tmp_path: Path) -> None:
    file = ("-f", str(written(tmp_path)))
    allowed = check(*file, *ASKED)
    assert allowed.exit_code == 0, allowed.output
    assert allowed.output.splitlines() == [
        "allowed: POST /pay/1 to pay from spiffe://mesh.local/ns/default/sa/orders",
        "rule:   pay/pays",
    ]
    denied = check(*file, *ASKED[:-2])
    assert denied.exit_code == 1
    assert denied.output.splitlines()[1:] == [
        "reason: not_allowed",
        "near:   pay/pays",
        "missed: no token: claim roles is not clerk",
    ]
    unguarded = check(*file, "--to", "orders")
    assert unguarded.exit_code == 0
    assert "no policy is for it" in unguarded.output
    assert check(*file, "--to", "pay", "--tunnel").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--to", "pya"), "there is no Service or Gateway pya; did you mean pay"),
        (("--to", "pay", "--from", "ordres"), "did you mean orders"),
        (("--to", "pay", "--method", "G T"), "method"),
        (("--to", "pay", "--path", "a b"), "path"),
        (("--to", "pay", "--header", "x"), "expected name: value"),
        (("--to", "pay", "--claim", "x"), "expected name=value"),
    ],
)
def test_a_question_that_makes_no_sense_is_a_mistake(tmp_path: Path, arguments: tuple[str, ...], word: str) -> None:
    result = check("-f", str(written(tmp_path)), *arguments)
    assert result.exit_code == 2
    assert word in result.output


def test_the_control_plane_answers_by_what_is_in_force(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    arguments = ("--file", str(written(tmp_path)), "--listen", url.removeprefix("http://"))
    assert check("--control", url, *ASKED).exit_code == 3
    with running("proxy.control", *arguments, log=tmp_path / "control.log") as control:
        control.ready(f"{url}/readyz")
        told = check("--control", url, "--json", *ASKED)
        assert told.exit_code == 0, told.output
        assert json.loads(told.output)["rule"] == "pay/pays"
        assert check("--control", url, "--to", "pay").exit_code == 1
        unknown = check("--control", url, "--to", "pya")
        assert unknown.exit_code == 2
        assert "did you mean pay" in unknown.output
