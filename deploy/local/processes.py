"""The processes of a mesh on one machine: which there are, with which options, and which must be ready first.

In: ports, folders, endpoints of the mesh configuration. Out: specifications for the supervisor. Pure: starts nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import deploy
from deploy.local.control_door import ControlDoor
from deploy.local.ports import DEFAULTS, Ports, Wanted
from deploy.local.supervise import Spec
from deploy.ui import streamlit_arguments
from proxy.control.documents import EndpointSpec
from proxy.control.proxies import Proxy

PROCESS_OF_PORT = {
    "control": "the control plane",
    "dns": "the control plane (DNS)",
    "otlp_grpc": "the collector (OTLP/gRPC)",
    "otlp_http": "the collector (OTLP/HTTP)",
    "clickhouse_native": "the collector (ClickHouse native protocol)",
    "clickhouse_http": "the collector (ClickHouse HTTP)",
    "collector_metrics": "the collector (metrics)",
    "rootcause": "the root-cause engine",
    "ui": "the web UI",
}


def ours(module: str, *arguments: str) -> tuple[str, ...]:
    """The command line of one of our own modules; -P: a folder named `proxy` where the user stands does not count."""
    return (sys.executable, "-P", "-m", module, *arguments)


def our_environment() -> dict[str, str]:
    """Lets children import the code that runs here, wherever they are started."""
    root = str(Path(deploy.__file__).parent.parent)
    return {"PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))}


def wanted_ports(ports: Ports, *, ui: bool) -> list[Wanted]:
    """Every address the mesh's own processes listen on."""
    return [Wanted(ports.address(name), PROCESS_OF_PORT[name]) for name in DEFAULTS if ui or name != "ui"]


def mesh_processes(
    mesh_file: Path,
    door: ControlDoor,
    *,
    webhooks: Sequence[str] = (),
    rootcause: Path | None = None,
    ui: bool = True,
) -> list[Spec]:
    """Control plane, collector, root cause and UI; the latter two start when the collector's store answers."""
    environment, ports, folder = our_environment(), door.ports, door.folder
    specs = [
        Spec(
            "collector",
            ours(
                "collector",
                "--data", str(folder.data),
                "--grpc", ports.address("otlp_grpc"),
                "--http", ports.address("otlp_http"),
                "--clickhouse-native", ports.address("clickhouse_native"),
                "--clickhouse-http", ports.address("clickhouse_http"),
                "--metrics", ports.address("collector_metrics"),
            ),
            environment,
            ready=f"{ports.url('collector_metrics')}/readyz",
            grace_s=20.0,
        ),
        Spec(
            "control",
            ours(
                "proxy.control",
                "-f", str(mesh_file),
                *door.opened_by(),
                "--dns", ports.address("dns"),
                "--state", str(folder.control),
                "--telemetry", ports.url("otlp_http"),
                "--node-key", str(folder.node_key),
            ),
            environment,
            ready=f"{door.url}/readyz",
            known_by=door.roots,
        ),
        Spec(
            "rootcause",
            ours(
                "rootcause",
                "--store", ports.store.replace("://", "://rootcause@"),
                "--listen", ports.address("rootcause"),
                "--telemetry", ports.url("otlp_http"),
                "--state", str(folder.rootcause),
                *door.asked_by(),
                *(part for url in webhooks for part in ("--webhook", url)),
                *(("--config", str(rootcause)) if rootcause is not None else ()),
            ),
            environment,
            ready=f"{ports.url('rootcause')}/readyz",
            after=("collector", "control"),
        ),
    ]  # fmt: skip
    if ui:
        specs.append(
            Spec(
                "ui",
                ours("streamlit", *streamlit_arguments(ports.address("ui"))),
                {**environment, "WHYMESH_STORE": ports.store, "WHYMESH_ROOTCAUSE": ports.url("rootcause")},
                ready=f"{ports.url('ui')}/_stcore/health",
                after=("collector",),
            )
        )
    return specs


def application(endpoint: EndpointSpec, *, directory: Path, ready: str = "") -> list[Spec]:
    """The application of an endpoint, if it says how to run it."""
    if not endpoint.run:
        return []
    calls_through = {"HTTP_PROXY": f"http://{endpoint.sidecar.outbound}"} if endpoint.sidecar else {}
    return [
        Spec(
            endpoint.instance,
            endpoint.run.command,
            {**calls_through, **endpoint.run.env},
            cwd=directory / (endpoint.run.directory or ""),
            ready=ready or (endpoint.app if is_socket(endpoint.app) else f"tcp://{endpoint.app}"),
        )
    ]


def sidecar(name: str, endpoints: Sequence[EndpointSpec], door: ControlDoor) -> list[Spec]:
    """The proxy beside some endpoints, if they have one: one of its own, or that of their node."""
    sidecars = [endpoint.sidecar for endpoint in endpoints if endpoint.sidecar]
    if not sidecars:
        return []
    return [
        Spec(
            sidecar_of(name),
            ours(
                "proxy",
                *door.reached_by(),
                "--node" if sidecars[0].node else "--instance", name,
                "--admin", sidecars[0].admin,
                "--state", str(door.folder.proxies),
                "--join", str(door.folder.node_key),
            ),
            our_environment(),
            ready=f"http://{sidecars[0].admin}/readyz",
            after=("control", "collector", *(endpoint.instance for endpoint in endpoints if endpoint.run)),
            grace_s=12.0,
        )
    ]  # fmt: skip


def gateway(proxy: Proxy, door: ControlDoor) -> list[Spec]:
    """The proxy that a Gateway is, where it says how to reach it."""
    if not proxy.admin:
        return []
    return [
        Spec(
            f"{proxy.name}-gateway",
            ours(
                "proxy",
                *door.reached_by(),
                "--gateway", proxy.name,
                "--admin", proxy.admin,
                "--state", str(door.folder.proxies),
                "--join", str(door.folder.node_key),
            ),
            our_environment(),
            ready=f"http://{proxy.admin}/readyz",
            after=("control", "collector"),
            grace_s=12.0,
        )
    ]  # fmt: skip


def gateway_ports(proxies: Sequence[Proxy], flag: str) -> list[Wanted]:
    """Every address that the gateways among some proxies listen on; `flag` is where they can be changed."""
    started = [(proxy, proxy.gateway) for proxy in proxies if proxy.gateway and proxy.admin]
    return [
        Wanted(address, f"Gateway {proxy.name}", flag)
        for proxy, made in started
        for address in (*made.listens_at, proxy.admin)
        if address
    ]


def is_socket(place: str) -> bool:
    """Whether an application listens at a path and needs no port."""
    return place.startswith("unix:")


def sidecar_of(name: str) -> str:
    """The name of the process beside an instance, or of the one of a node."""
    return f"{name}-sidecar"


def endpoint_ports(endpoints: Sequence[EndpointSpec], flag: str) -> list[Wanted]:
    """Every address that starting these endpoints listens on; `flag` is where they can be changed."""
    wanted = {}
    for endpoint in endpoints:
        if endpoint.run and not is_socket(endpoint.app):
            wanted[endpoint.app] = Wanted(endpoint.app, endpoint.instance, flag)
        if endpoint.sidecar:
            beside = f"the sidecar of {endpoint.sidecar.node or endpoint.instance}"
            further = (listener.listen for listener in endpoint.sidecar.listeners)
            for address in (endpoint.sidecar.inbound, endpoint.sidecar.outbound, endpoint.sidecar.admin, *further):
                wanted[address] = Wanted(address, beside, flag)
    return list(wanted.values())
