"""The control plane of a secured run: its own parts and the commands of its user reach it, others do not."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import http.client
import json
import os
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from deploy.ca import command as ca
from deploy.config.change import apply
from deploy.config.look import get, status
from deploy.config.tokens import command as token
from deploy.local.control_door import ControlDoor
from deploy.local.ports import DEFAULTS, Ports, PortTaken, Wanted, check_free
from deploy.local.processes import mesh_processes, sidecar
from deploy.local.state import RunFolder
from deploy.local.supervise import Spec, Supervisor
from deploy.policies.command import command as policy
from deploy.register import deregister, register
from deploy.tap import command as tap
from proxy.control.documents import EndpointSpec
from tests.world import meshes
from tests.world.processes import free_port, until


@dataclass
class Run:
    """What `whymesh up` would have started, as far as the control plane and one proxy go."""

    state: Path
    door: ControlDoor

    def ask(self, command: click.Command, *arguments: str) -> Result:
        """What a command of the same user says, with no option that tells it where."""
        return CliRunner().invoke(command, arguments, env={"XDG_STATE_HOME": str(self.state.parent)})

    def stranger(self, path: str, method: str = "GET") -> int:
        """The status of what another user of this machine asks, who knows the roots."""
        known = ssl.create_default_context(cafile=self.door.roots)
        port = int(self.door.ports.address("control").rpartition(":")[2])
        connection = http.client.HTTPSConnection("127.0.0.1", port, context=known, timeout=20)
        try:
            connection.request(method, path)
            return connection.getresponse().status
        finally:
            connection.close()


@pytest.fixture
async def run(tmp_path: Path) -> AsyncIterator[Run]:
    front = meshes.endpoint("front-1", sidecar=meshes.sidecar(*(free_port() for _ in range(3))))
    services = (meshes.service("front", front), meshes.service("back", meshes.endpoint("back-1")))
    path = meshes.write(tmp_path / "mesh.yaml", meshes.mesh(authority={}, telemetry={"enabled": False}), *services)
    state = tmp_path / "whymesh"
    folder = RunFolder(state / "test")
    door = ControlDoor(_ports(), folder, secured=True)
    beside = sidecar("front-1", [EndpointSpec.model_validate(front)], door)
    control = [spec for spec in mesh_processes(path, door, ui=False) if spec.name == "control"]
    supervisor = Supervisor(folder.logs, lambda death: pytest.fail(str(death)))
    with folder.hold(fresh=True):
        try:
            for spec in (*control, *beside):
                await supervisor.start([_alone(spec)])
            folder.announce(door.announced(os.getpid()))
            yield Run(state, door)
        finally:
            await supervisor.stop_all()


async def test_its_user_needs_no_options_and_nobody_else_of_the_machine_comes_in(run: Run) -> None:
    """One test: the run takes longer to start than to ask."""
    await asyncio.to_thread(_its_user, run)
    await asyncio.to_thread(_others, run)


def _its_user(run: Run) -> None:
    until(lambda: run.ask(status).exit_code == 0, "a proxy that serves what it should")
    assert "front-1  current" in run.ask(status).output
    assert "trust domain mesh.local" in run.ask(ca, "status").output
    assert "Service" in run.ask(get).output
    document = run.state / "back.yaml"
    document.write_text(json.dumps(meshes.service("back", meshes.endpoint("back-1"), timeout="3s")))
    assert run.ask(apply, "-f", str(document)).exit_code == 0
    assert run.ask(policy, "check", "--from", "front", "--to", "back").output.startswith("allowed")
    assert run.ask(register, "back", "back-2", "--app", "127.0.0.1:1").exit_code == 0
    assert "no longer registered" in run.ask(deregister, "back-2").output
    assert run.ask(tap, "front", "--since", "1s").exit_code == 0
    made = run.ask(token, "deploy").output.strip()
    assert made.startswith("whymesh_")


def _others(run: Run) -> None:
    assert run.stranger("/v1/status") == 200
    assert run.stranger("/v1/config") == 401
    assert run.stranger("/v1/config/Service/default/back", "DELETE") == 401
    assert run.stranger("/v1/instances/back-1", "DELETE") == 403
    assert run.stranger("/v1/snapshots/front-1") == 403
    host, _, port = run.door.ports.address("control").rpartition(":")
    in_the_clear = http.client.HTTPConnection(host, int(port), timeout=20)
    in_the_clear.request("GET", "/v1/status")
    with pytest.raises((OSError, http.client.HTTPException)):
        in_the_clear.getresponse()
    in_the_clear.close()


def _ports() -> Ports:
    """Where the control plane and its DNS can listen."""
    while True:
        ports = Ports(free_port() - DEFAULTS["control"])
        with contextlib.suppress(PortTaken):
            check_free(Wanted(ports.address(name), name, "") for name in ("control", "dns"))
            return ports


def _alone(spec: Spec) -> Spec:
    """The same, waiting for nobody, and without a collector to tell."""
    command = list(spec.command)
    if "--telemetry" in command:
        command[command.index("--telemetry") + 1] = ""
    return dataclasses.replace(spec, after=(), command=tuple(command))
