"""`whymesh tap` against a running mesh: control plane, sidecars with their admin ports, requests through six hops."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest
from click.testing import CliRunner, Result

from deploy.tap import command
from tests.world.chain import Chain, chain
from tests.world.otlp_sink import eventually
from tests.world.processes import free_port

ENABLED = {"enabled": False, "flush": "20ms", "recorder": {"memory": "4MiB"}}


async def tap(*arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, command, list(arguments))


async def settled(mesh: Chain) -> None:
    await eventually(lambda: mesh.records("pending") == 0, "every record to be seen")


async def test_requests_of_the_mesh_are_shown(tmp_path: Path) -> None:
    async with chain(tmp_path, ENABLED) as mesh, aiohttp.ClientSession() as session:
        await mesh.load(session, 4)
        assert await mesh.ask(session, "status=500") == 200
        await settled(mesh)

        of_one = await tap("s6", "--control", mesh.control, "--since", "5m", "--json")
        shown = [json.loads(line) for line in of_one.output.splitlines()]
        assert [one["http.response.status_code"] for one in shown] == [200] * 4 + [500]
        assert {one["mesh.destination.service"] for one in shown} == {"s6"}

        failed = await tap("--control", mesh.control, "--since", "5m", "--status", "5xx")
        (called, answered) = failed.output.splitlines()
        assert "outbound  s5 > s6  GET  /orders/7  500" in called
        assert "inbound   s5 > s6  GET  /orders/7  500" in answered
        assert called.split()[-1] == answered.split()[-1] == shown[-1]["trace_id"]

        watching = asyncio.create_task(tap("s1", "--control", mesh.control, "--limit", "2"))
        while not watching.done():
            await mesh.ask(session)
        assert watching.result().output.count("inbound   outside > s1  GET  /orders/7  200") == 1
        assert watching.result().exit_code == 0


async def test_of_a_shared_proxy_the_requests_of_one_service_are_shown(tmp_path: Path) -> None:
    async with chain(tmp_path, ENABLED) as mesh, aiohttp.ClientSession() as session:
        await mesh.load(session, 4)
        await settled(mesh)
        both = ("--admin", mesh.ports["s2"]["admin"], "--admin", mesh.ports["s3"]["admin"])
        result = await tap("s2", *both, "--since", "5m", "--json")
        shown = [json.loads(line) for line in result.output.splitlines()]
        assert len(shown) == 8
        assert {one["direction"] for one in shown} == {"inbound", "outbound"}
        assert {one["mesh.source.service"] for one in shown} == {"s1", "s2"}


async def test_what_cannot_be_shown_is_said(tmp_path: Path) -> None:
    async with chain(tmp_path, ENABLED) as mesh:
        for arguments, code, said in (
            (("s9",), 2, "no proxy of s9 is known; there are those of: s1, s2"),
            (("s1", "--status", "bad"), 2, "refuses: status=bad: expected a status such as 503"),
        ):
            result = await tap(*arguments, "--control", mesh.control)
            assert (result.exit_code, said in result.output) == (code, True), result.output
    nobody = f"127.0.0.1:{free_port()}"
    for arguments in (("--control", f"http://{nobody}"), ("--admin", nobody)):
        result = await tap(*arguments)
        assert result.exit_code == 3
        assert f"at {'http://' if arguments[0] == '--control' else ''}{nobody}: " in result.output


@pytest.fixture(autouse=True)
def _no_run_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
