"""Writes the demo's mesh.yaml from the topology. In: instances and ports. Out: documents the control plane reads."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deploy.demo import access, edge
from deploy.demo.topology import SHOPS
from deploy.local.ports import LOOPBACK, Ports, Wanted
from deploy.local.processes import our_environment
from proxy.control.documents import API_VERSION, EndpointSpec

# One block of a hundred ports for each thing an instance has; the place of an instance is its offset in each block.
APP, INBOUND, OUTBOUND, ADMIN, LINK = 18_100, 18_200, 18_300, 18_400, 18_500
FAULTS, LOAD, WIRE = 18_600, 18_601, 18_602


@dataclass(frozen=True)
class Instance:
    """One instance of the shop: `place` decides its ports, `born_with` is a fault of its code (a bad version); one that
    does not serve yet gets no share of a rollout."""

    service: str
    number: int
    version: str
    place: int
    born_with: str = ""
    serves: bool = True

    @property
    def name(self) -> str:
        """What the mesh calls it."""
        return f"{self.service}-{self.number}"

    def address(self, block: int, ports: Ports) -> str:
        """Its port in one of the blocks."""
        return f"{LOOPBACK}:{block + self.place + ports.offset}"

    def endpoint(self, ports: Ports) -> EndpointSpec:
        """The instance as the mesh configuration knows it."""
        app = self.address(APP, ports)
        environment = {"SERVICE": self.service, "PORT": app.rpartition(":")[2], **our_environment()}
        return EndpointSpec.model_validate(
            {
                "instance": self.name,
                "version": self.version,
                "app": app,
                "address": self.address(LINK, ports),
                "sidecar": {
                    "inbound": self.address(INBOUND, ports),
                    "outbound": self.address(OUTBOUND, ports),
                    "admin": self.address(ADMIN, ports),
                },
                "run": {
                    "command": [sys.executable, "-P", "-m", "deploy.demo.service"],
                    "env": environment | ({"FAULT": self.born_with} if self.born_with else {}),
                },
            }
        )


def first_instances() -> list[Instance]:
    """Every instance of the topology, each at a place of its own."""
    numbered = [(s.name, n, v) for s in SHOPS for n, v in enumerate(s.versions, start=1)]
    return [Instance(name, number, version, place) for place, (name, number, version) in enumerate(numbered)]


def documents(instances: Iterable[Instance], ports: Ports, *, secured: bool = True) -> list[dict[str, Any]]:
    """The Mesh, then one Service for each service with its instances, then the rollouts that are under way, the door,
    and who may ask what. Not `secured`: in the clear, and anyone may ask anything."""
    instances = list(instances)
    telemetry = {"endpoint": ports.traces, "flush": "500ms"}
    security = {"authority": {}, "mtls": "strict"} if secured else {}
    mesh = {"kind": "Mesh", "metadata": {"name": "shop"}, "spec": {"telemetry": telemetry, **security}}
    services = [
        {
            "kind": "Service",
            "metadata": {"name": name},
            "spec": {
                "connectTimeout": "5s",  # of a machine that does everything at once; strict mTLS has handshakes, too
                "endpoints": [
                    i.endpoint(ports).model_dump(mode="json", exclude_none=True) for i in instances if i.service == name
                ],
            },
        }
        for name in dict.fromkeys(instance.service for instance in instances)
    ]
    serving = [instance for instance in instances if instance.serves]
    rollouts = [rollout(name, serving) for name in dict.fromkeys(i.service for i in serving if i.born_with)]
    ours = [{"apiVersion": API_VERSION, **document} for document in (mesh, *services)]
    return ours + rollouts + edge.documents(ports) + (access.policies() if secured else [])


def rollout(service: str, instances: Iterable[Instance]) -> dict[str, Any]:
    """The route by which each version gets the share of its instances: left to itself the balancer would hardly ask a
    new version that is slow, and nobody would learn that it is."""
    versions = Counter(instance.version for instance in instances if instance.service == service)
    backends = [{"name": service, "version": version, "weight": count} for version, count in versions.items()]
    return {
        "apiVersion": edge.GATEWAY_API,
        "kind": "HTTPRoute",
        "metadata": {"name": f"{service}-rollout"},
        "spec": {"parentRefs": [{"kind": "Service", "name": service}], "rules": [{"backendRefs": backends}]},
    }


def write(path: Path, instances: Iterable[Instance], ports: Ports, *, secured: bool = True) -> None:
    """Replaces the file in one step, so that the control plane never reads half of it."""
    partial = path.with_suffix(".new")
    partial.write_text(yaml.safe_dump_all(documents(instances, ports, secured=secured), sort_keys=False))
    partial.replace(path)


def own_ports(ports: Ports) -> list[Wanted]:
    """What the demo's own processes listen on, beside the mesh and the shop."""
    return edge.wanted(ports) + [
        Wanted(f"{LOOPBACK}:{port + ports.offset}", process)
        for port, process in ((FAULTS, "the demo's fault orders"), (LOAD, "the load"), (WIRE, "the links"))
    ]
