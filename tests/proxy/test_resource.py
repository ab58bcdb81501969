"""What proxies record says where they run, by the standard's variable, and never otherwise than the mesh knows."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import aiohttp
import pytest
from opentelemetry.sdk.resources import OTELResourceDetector

from proxy.resource import LONGEST, MOST, VARIABLE, of_workload, surroundings
from tests.world import meshes
from tests.world.apps import app, echo
from tests.world.otlp_sink import eventually, otlp_sink
from tests.world.processes import free_port, running

NODE = {"service": "cart", "version": "v2", "instance": "cart-1", "namespace": "shop", "zone": None}


def told(variable: str) -> dict[str, str]:
    attributes, problems = surroundings(variable, "a7")
    assert problems == []
    return attributes


@pytest.mark.parametrize(
    "variable",
    [
        "rack=r12,team=shop",
        " rack = r12 , team=shop,",
        "text=a%2Cb%3Dc%20d%25,umlaut=%C3%BC",
        "twice=1,twice=2",
        "equals=a=b",
    ],
)
def test_the_variable_is_read_as_opentelemetry_reads_it(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, variable)
    assert told(variable) == {"host.name": "a7", **OTELResourceDetector().detect().attributes}


def test_the_machine_is_named_unless_the_variable_knows_better() -> None:
    assert told("") == {"host.name": "a7"}
    assert told("host.name=metal-4") == {"host.name": "metal-4"}
    assert told("host.name=") == {}, "an empty value leaves it out"
    assert told("k8s.node.name=worker-3") == {"k8s.node.name": "worker-3"}, "a Pod's machine has another name"
    assert told("k8s.node.name=worker-3,host.name=metal-4")["host.name"] == "metal-4"
    assert told("k8s.node.name=") == {"host.name": "a7"}


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("rack", "expected name=value"),
        ("=r12", "it has no name"),
        ("rack=50%", "two hexadecimal digits"),
        ("rack=%zz", "two hexadecimal digits"),
        ("rack=%ff", "not UTF-8"),
        ("rack=\udcff", "not UTF-8"),
        (f"rack={'x' * LONGEST}", "longer than 256 bytes"),
    ],
)
def test_a_broken_entry_is_said_and_left_out(entry: str, why: str) -> None:
    attributes, (problem,) = surroundings(f"team=shop,{entry},floor=2", "a7")
    assert attributes == {"host.name": "a7", "team": "shop", "floor": "2"}
    assert problem.startswith(f"{VARIABLE}: ")
    assert why in problem
    assert len(problem) < 200


def test_there_are_so_many_attributes_and_no_more() -> None:
    names = [f"n{number}" for number in range(MOST + 2)]
    attributes, problems = surroundings(",".join(f"{name}=1" for name in [*names, "n0"]), "a7")
    assert set(attributes) == {"host.name", *names[:MOST]}
    assert len(problems) == 2
    long = f"{'n' * 100}={'x' * (LONGEST - 100)}"
    assert len(told(long)) == 2


def test_what_the_mesh_knows_of_a_workload_stands() -> None:
    surroundings = {"service.name": "another", "cloud.availability_zone": "west", "host.name": "a7"}
    own = {
        "service.name": "cart",
        "service.namespace": "shop",
        "service.version": "v2",
        "service.instance.id": "cart-1",
        "host.name": "a7",
    }
    assert of_workload(surroundings, NODE) == {**own, "cloud.availability_zone": "west"}
    assert of_workload(surroundings, {**NODE, "zone": "east"}) == {**own, "cloud.availability_zone": "east"}


async def test_all_that_the_proxy_of_two_instances_records_says_where_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "rack=row%207,service.name=another,cloud.availability_zone=west,broken")
    control, admin = (f"127.0.0.1:{free_port()}" for _ in range(2))
    side = {name: meshes.sidecar(free_port(), free_port(), 0) | {"admin": admin} for name in ("front", "back")}
    async with app(echo) as address, otlp_sink() as sink:
        zones = {"front": {}, "back": {"zone": "east"}}
        services = [
            meshes.service(
                name, {"instance": f"{name}-1", "app": address, "sidecar": {**side[name], "node": "metal"}, **zone}
            )
            for name, zone in zones.items()
        ]
        spans = {"endpoint": sink.url.removesuffix("/v1/traces"), "flush": "20ms", "accessLog": {"to": ["otlp"]}}
        file = meshes.write(tmp_path / "mesh.yaml", meshes.mesh(telemetry=spans), *services)
        arguments = ("--node", "metal", "--admin", admin, "--control", f"http://{control}")
        with (
            running("proxy.control", "-f", str(file), "--listen", control, log=tmp_path / "control.log") as plane,
            running("proxy", *arguments, log=tmp_path / "sidecar.log") as proxy,
        ):
            await asyncio.to_thread(plane.ready, f"http://{control}/healthz")
            await asyncio.to_thread(proxy.ready, f"http://{admin}/readyz")
            async with (
                aiohttp.ClientSession() as session,
                session.get("http://back/", proxy=f"http://{side['front']['outbound']}") as response,
            ):
                assert response.status == 200
            seen = {span.kind: span.resource for span in await sink.wait(2)}
            logged = [log.resource for log in await sink.wait_logs(2)]
            await eventually(lambda: sink.counts, "the counts of ten seconds", 20)
    here = {"rack": "row 7", "host.name": socket.gethostname(), "service.namespace": "default"}
    of = {
        name: {**here, "service.name": name, "service.version": "v1", "service.instance.id": f"{name}-1"} | zone
        for name, zone in (
            ("front", {"cloud.availability_zone": "west"}),
            ("back", {"cloud.availability_zone": "east"}),
        )
    }
    assert seen == {"client": of["front"], "server": of["back"]}
    assert all(resource in logged for resource in of.values())
    assert [count.resource for count in sink.counts] == [of["back"]], "what the mesh does not know is told"
    assert f"{VARIABLE}: 'broken' is left out: expected name=value" in proxy.output()
