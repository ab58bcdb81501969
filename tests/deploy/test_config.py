"""The configuration from a shell: looked at, changed, gone back on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deploy.cli import main
from tests.world import meshes
from tests.world.processes import free_port, running

FRONT = meshes.service("front", meshes.endpoint("front-1", sidecar=meshes.sidecar(1, 2, 3)), timeout="5s")


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    path, port = meshes.write(tmp_path / "mesh.yaml", FRONT), free_port()
    options = ("-f", str(path), "--listen", f"127.0.0.1:{port}", "--state", str(tmp_path / "state"))
    with running("proxy.control", *options, log=tmp_path / "control.log") as process:
        process.ready(f"http://127.0.0.1:{port}/readyz")
        yield f"http://127.0.0.1:{port}"


def test_a_change_is_looked_at_made_and_taken_back(url: str, tmp_path: Path) -> None:
    def whymesh(*words: str) -> Result:
        return CliRunner().invoke(main, [words[0], "--url", url, *words[1:]])

    new = meshes.write(tmp_path / "new.yaml", {**FRONT, "spec": {**FRONT["spec"], "timeout": "9s"}})
    shown = whymesh("diff", "-f", str(new))
    assert (shown.exit_code, '  spec.timeout: "5s" -> "9s"' in shown.output) == (1, True)
    assert "would be told to 1 proxies: front-1" in shown.output
    assert "epoch 2, told to 1 proxies: front-1" in whymesh("apply", "-f", str(new)).output
    assert whymesh("diff", "-f", str(new)).exit_code == 0
    assert "api, over the file" in whymesh("get").output
    assert "timeout: 9s" in whymesh("get", "Service/front", "-o", "yaml").output
    assert "front" in whymesh("history").output
    assert '"5s" -> "9s"' in whymesh("history", "2").output
    assert "epoch 3" in whymesh("rollback", "1").output
    stale = whymesh("get", "Service/front").output.replace("'3'", "'2'").replace("5s", "7s")
    (tmp_path / "stale.yaml").write_text(stale)
    refused = whymesh("apply", "-f", str(tmp_path / "stale.yaml"))
    assert refused.exit_code == 2
    assert 'spec.timeout: is "5s" there, "7s" here' in refused.output
    (tmp_path / "bad.yaml").write_text(stale.replace("timeout:", "timeuot:"))
    assert "did you mean timeout?" in whymesh("apply", "-f", str(tmp_path / "bad.yaml")).output
    status = whymesh("status")
    assert (status.exit_code, "has not connected since" in status.output) == (1, True)
    assert whymesh("token", "deploy").output.startswith("whymesh_")
    assert whymesh("token").output.startswith("deploy of ")
    assert whymesh("delete", "Service/nothing").exit_code == 2


def test_a_control_plane_that_is_away_is_one_clear_message() -> None:
    said = CliRunner().invoke(main, ["get", "--url", f"http://127.0.0.1:{free_port()}"])
    assert (said.exit_code, "no answer from the control plane" in said.output) == (3, True)
