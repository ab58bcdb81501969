"""`whymesh up`: one machine's mesh from a mesh.yaml. In: the configuration. Out: everything it names, running."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click
from rich.table import Column, Table

from deploy.local.control_door import ControlDoor
from deploy.local.ports import Ports
from deploy.local.processes import (
    application,
    endpoint_ports,
    gateway,
    gateway_ports,
    mesh_processes,
    sidecar,
    wanted_ports,
)
from deploy.local.session import INTERRUPTED, NotStarted, Stopped, session, start, stop_signal, terminal
from deploy.local.state import RunFolder, default_state
from proxy.control.errors import ConfigRefused
from proxy.control.reading.read import load
from proxy.control.registry import Registry, register
from rootcause.settings import SettingsRefused, read_settings


@click.command(name="up")
@click.option("-f", "--file", "path", type=click.Path(path_type=Path), default="mesh.yaml", show_default=True)
@click.option(
    "--state", type=click.Path(path_type=Path), help="Where logs and data go [default: ~/.local/state/whymesh]."
)
@click.option("--port-offset", default=0, show_default=True, help="Added to every port of the mesh's own processes.")
@click.option("--ui/--no-ui", default=True, show_default=True, help="The web UI.")
@click.option(
    "--rootcause", type=click.Path(path_type=Path), help="rootcause.yaml: objectives, rules, webhooks with secrets."
)
def command(path: Path, state: Path | None, port_offset: int, ui: bool, rootcause: Path | None) -> None:
    """Run the mesh of a mesh.yaml on this machine.

    Starts the control plane, the collector with its store, the root-cause engine and the UI, a sidecar for each
    endpoint with `sidecar:`, each Gateway with `admin:`, and the application of each endpoint with `run:`. Stays
    until Ctrl-C.

    \b
    Examples:
      whymesh up -f mesh.yaml
      whymesh up -f mesh.d/ --port-offset 1000 --no-ui
      whymesh up -f mesh.yaml --rootcause rootcause.yaml
    \b
    Exit codes: 0 stopped by you, 2 the configuration, a port or a process keeps it from starting.
    """
    try:
        registry = register(load(path))
        where = path.resolve()
        directory = where if where.is_dir() else where.parent
        if rootcause is not None:
            read_settings(rootcause, {})
            rootcause = rootcause.resolve()
        asyncio.run(_up(where, directory, registry, state or default_state(), Ports(port_offset), ui, rootcause))
    except ConfigRefused as error:
        click.echo("whymesh up: the mesh configuration is not taken:\n  " + "\n  ".join(error.mistakes), err=True)
        raise SystemExit(2) from None
    except SettingsRefused as error:
        click.echo(f"whymesh up: {error}", err=True)
        raise SystemExit(2) from None
    except Stopped:
        raise SystemExit(INTERRUPTED) from None
    except NotStarted as error:
        click.echo(f"whymesh up: {error}", err=True)
        raise SystemExit(2) from None


async def _up(
    path: Path, directory: Path, registry: Registry, state: Path, ports: Ports, ui: bool, rootcause: Path | None
) -> None:
    console = terminal()
    folder = RunFolder(state / registry.mesh.metadata.name)
    endpoints = [endpoint for _, endpoint in registry.instances()]
    wanted = wanted_ports(ports, ui=ui) + endpoint_ports(endpoints, f"its endpoint in {path.name}")
    wanted += gateway_ports(registry.proxies, f"its Gateway in {path.name}")
    webhooks = registry.mesh.spec.alerts.webhooks
    door = ControlDoor(ports, folder, secured=registry.mesh.spec.authority is not None)
    specs = mesh_processes(path, door, webhooks=webhooks, rootcause=rootcause, ui=ui)
    for endpoint in endpoints:
        specs += application(endpoint, directory=directory)
    for proxy in registry.proxies:
        beside = [endpoint for _, endpoint in proxy.instances]
        specs += gateway(proxy, door) if proxy.gateway else sidecar(proxy.name, beside, door)
    stop = stop_signal()
    async with session(folder, wanted, console, fresh=False) as supervisor:
        await start(supervisor, specs, console, stop)
        folder.announce(door.announced(os.getpid()))
        console.print(_overview(registry, door, ui))
        telemetry = registry.mesh.spec.telemetry
        receiver = ports.traces if telemetry.protocol == "http" else f"{ports.url('otlp_grpc')}/"
        if telemetry.address != receiver:
            console.print(
                f"note: proxies report to {telemetry.address} (Mesh spec.telemetry.endpoint), "
                f"not to the collector started here ({receiver})"
            )
        console.print(f"logs in {folder.logs}; Ctrl-C stops everything")
        await stop.wait()
        console.print("stopping")


def _overview(registry: Registry, door: ControlDoor, ui: bool) -> Table:
    """What runs where, for the operator."""
    ports = door.ports
    table = Table("process", Column("address", overflow="fold"), "what for")
    if ui:
        table.add_row("UI", ports.url("ui"), "service graph, incidents, SQL")
    table.add_row("root cause", f"{ports.url('rootcause')}/v1/why", "or: whymesh why")
    table.add_row("store", ports.store, "or: whymesh sql")
    table.add_row("store", ports.url("clickhouse_http"), "ClickHouse HTTP: curl, Grafana")
    table.add_row("collector", ports.url("otlp_http"), "OTLP/HTTP; gRPC on " + ports.address("otlp_grpc"))
    table.add_row("control", f"{door.url}/v1/status", "epoch, proxies, mistakes; or: whymesh status")
    for service, endpoint in registry.instances():
        if endpoint.sidecar:
            table.add_row(endpoint.instance, endpoint.sidecar.outbound, f"HTTP_PROXY of {service.full_name}")
    for proxy in registry.proxies:
        for address, listeners in proxy.gateway.listens_at.items() if proxy.gateway and proxy.admin else ():
            scheme = listeners[0].protocol.lower()
            table.add_row(proxy.name, f"{scheme}://{address}", "Gateway: the way in from outside")
    return table
