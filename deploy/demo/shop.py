"""The running shop: its instances with their sidecars and links, and the mesh.yaml that names them.

In: a supervisor and ports. Out: instances that serve, appear, vanish and crash while traffic flows.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp

from deploy.demo import edge
from deploy.demo.mesh import ADMIN, APP, INBOUND, LINK, LOAD, WIRE, Instance, first_instances, own_ports, write
from deploy.demo.topology import BY_NAME
from deploy.local.control_door import ControlDoor
from deploy.local.ports import LOOPBACK, Ports, Wanted, check_free
from deploy.local.processes import (
    application,
    endpoint_ports,
    gateway,
    mesh_processes,
    our_environment,
    ours,
    sidecar,
    sidecar_of,
    wanted_ports,
)
from deploy.local.state import RunFolder
from deploy.local.supervise import Spec, Supervisor

ROLLOUT_S = 15.0


class NoSuchInstance(ValueError):
    """An order names an instance that the shop does not have."""


class RunningShop:
    """Everything of the demo that is not the mesh itself; all methods run on the event loop."""

    def __init__(self, folder: RunFolder, ports: Ports, rate: float, *, ui: bool, secured: bool = True) -> None:
        self.folder = folder
        self.ports = ports
        self.secured = secured
        self.instances = first_instances()
        self._rate = rate
        self._ui = ui

    @property
    def control(self) -> ControlDoor:
        """How the control plane is reached."""
        return ControlDoor(self.ports, self.folder, self.secured)

    @property
    def mesh_file(self) -> Path:
        """The mesh configuration of the demo: rewritten when an instance comes or goes."""
        return self.folder.root / "mesh.yaml"

    def url(self, port: int) -> str:
        """A port of the demo's own processes."""
        return f"http://{LOOPBACK}:{port + self.ports.offset}"

    def wanted(self) -> list[Wanted]:
        """Every address the demo listens on from the start."""
        instances = [want for i in self.instances for want in self._wanted_by(i)]
        return wanted_ports(self.ports, ui=self._ui) + own_ports(self.ports) + instances

    def specs(self) -> list[Spec]:
        """Every process of the demo; customers come when all sidecars are ready."""
        self._write()
        links = {i.name: [i.address(LINK, self.ports), i.address(INBOUND, self.ports)] for i in self.instances}
        door = gateway(edge.proxy(self.ports), self.control)
        wire = {"PORT": str(WIRE + self.ports.offset), "LINKS": json.dumps(links)}
        load = {"PORT": str(LOAD + self.ports.offset), "TARGET": edge.door(self.ports), "RATE": str(self._rate)}
        return [
            *mesh_processes(self.mesh_file, self.control, ui=self._ui),
            Spec("wire", ours("deploy.demo.wire"), our_environment() | wire, ready=f"{self.url(WIRE)}/readyz"),
            *(spec for instance in self.instances for spec in self._processes(instance)),
            *door,
            Spec(
                "load",
                ours("deploy.demo.load"),
                our_environment() | load,
                ready=f"{self.url(LOAD)}/stats",
                after=("wire", *(spec.name for spec in door), *(sidecar_of(i.name) for i in self.instances)),
            ),
        ]

    def of_service(self, service: str, instance: str = "") -> list[Instance]:
        """The instances an order is about; raises NoSuchInstance."""
        found = [i for i in self.instances if i.service == service and instance in {"", i.name}]
        if not found:
            known = ", ".join(i.name for i in self.instances if i.service == service)
            raise NoSuchInstance(f"no instance {instance!r} of {service}; there are: {known}")
        return found

    def app(self, instance: Instance) -> str:
        """Where the application of an instance takes orders to misbehave."""
        return f"http://{instance.address(APP, self.ports)}"

    def app_process(self, instance: Instance) -> Spec:
        """The application of an instance, to be started again after a crash."""
        return self._processes(instance)[0]

    async def appear(self, instance: Instance, supervisor: Supervisor, http: aiohttp.ClientSession) -> None:
        """Starts a new instance and adds it to the configuration; once its sidecar serves, its link opens and routes
        may name it."""
        check_free(self._wanted_by(instance))
        app, beside = self._processes(instance)
        await supervisor.start([app])
        coming = replace(instance, serves=False)
        self.instances.append(coming)
        self._write()
        await supervisor.start([beside])
        link = {"listen": instance.address(LINK, self.ports), "target": instance.address(INBOUND, self.ports)}
        async with http.put(f"{self.url(WIRE)}/links/{instance.name}", json=link) as answer:
            answer.raise_for_status()
        self.instances[self.instances.index(coming)] = instance
        self._write()

    async def vanish(self, instance: Instance, supervisor: Supervisor, http: aiohttp.ClientSession) -> None:
        """Takes an instance out of the configuration, and stops it when no proxy sends it anything any more."""
        self.instances.remove(instance)
        epoch = (await self.control_status(http))["epoch"]
        self._write()
        async with asyncio.timeout(ROLLOUT_S):
            # another process decides this, and nothing tells us when
            while not self._in_force_since(epoch, await self.control_status(http)):  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        async with http.delete(f"{self.url(WIRE)}/links/{instance.name}") as answer:
            answer.raise_for_status()
        await supervisor.stop(sidecar_of(instance.name))
        await supervisor.stop(instance.name)

    async def control_status(self, http: aiohttp.ClientSession) -> dict[str, Any]:
        """What the control plane says of epochs and proxies."""
        async with http.get(f"{self.control.url}/v1/status", ssl=self.control.trust()) as answer:
            status: dict[str, Any] = await answer.json()
            return status

    async def proxy_stats(self, http: aiohttp.ClientSession) -> list[dict[str, Any]]:
        """The counters of every proxy (docs/telemetry.md, "Engine counters")."""

        async def one(admin: str | None) -> dict[str, Any]:
            async with http.get(f"http://{admin}/stats") as answer:
                stats: dict[str, Any] = await answer.json()
                return stats

        sidecars = (instance.address(ADMIN, self.ports) for instance in self.instances)
        return await asyncio.gather(*(one(admin) for admin in (edge.proxy(self.ports).admin, *sidecars)))

    async def load_stats(self, http: aiohttp.ClientSession, *, stop: bool = False) -> dict[str, Any]:
        """What the customers saw; with `stop` they leave first, and the answer comes when the last is served."""
        method, path = ("POST", "/stop") if stop else ("GET", "/stats")
        async with http.request(method, self.url(LOAD) + path) as answer:
            stats: dict[str, Any] = await answer.json()
            return stats

    @staticmethod
    def _in_force_since(epoch: int, status: dict[str, Any]) -> bool:
        """Whether there is a newer one, and every proxy that listens serves what it is to serve by it."""
        listening = (proxy for proxy in status["proxies"] if proxy["connected"])
        return status["epoch"] > epoch and all(proxy["state"] == "current" for proxy in listening)

    def _write(self) -> None:
        write(self.mesh_file, self.instances, self.ports, secured=self.secured)

    def _processes(self, instance: Instance) -> list[Spec]:
        endpoint = instance.endpoint(self.ports)
        return [
            *application(endpoint, directory=self.folder.root, ready=f"{self.app(instance)}/readyz"),
            *sidecar(instance.name, [endpoint], self.control),
        ]

    def _wanted_by(self, instance: Instance) -> list[Wanted]:
        link = Wanted(instance.address(LINK, self.ports), f"the link to {instance.name}")
        return [*endpoint_ports([instance.endpoint(self.ports)], "--port-offset"), link]


def next_instance(instances: list[Instance], service: str, born_with: str) -> Instance:
    """A new version of a service, at a place that nobody has."""
    number = 1 + max(i.number for i in instances if i.service == service)
    versions = {*BY_NAME[service].versions, *(i.version for i in instances if i.service == service)}
    version = f"v{1 + max(int(version.removeprefix('v')) for version in versions)}"
    return Instance(service, number, version, 1 + max(i.place for i in instances), born_with)
