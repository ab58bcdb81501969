"""`python -m proxy.control`: configuration on disk -> registry -> one snapshot a proxy, streamed."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import click
from aiohttp import web

from proxy.control.api import Api
from proxy.control.authority.door import IdentityDoor
from proxy.control.authority.errors import AuthorityError
from proxy.control.authority.office import Office
from proxy.control.authority.safe import Safe, secret_of
from proxy.control.callers import Callers
from proxy.control.change import Change
from proxy.control.discovery.assemble import Discovered, assemble
from proxy.control.discovery.door import InstanceDoor
from proxy.control.discovery.instances import Instances
from proxy.control.discovery.kept import KeptRegistrations
from proxy.control.discovery.leases import Leases
from proxy.control.errors import ConfigRefused
from proxy.control.health.checks import Checks
from proxy.control.health.door import HealthDoor
from proxy.control.health.leave_out import Verdict
from proxy.control.in_force import InForce
from proxy.control.key_sets import KeySets
from proxy.control.names.door import NamesDoor
from proxy.control.policy_door import PolicyDoor
from proxy.control.publish import Publisher
from proxy.control.read import Configuration, load
from proxy.control.state import EpochFile, digest
from proxy.control.telemetry import Telemetry
from proxy.control.watch import Mark, edits, mark_of

log = logging.getLogger("whymesh.control")


@click.command(name="control")
@click.option(
    "-f",
    "--file",
    "path",
    type=click.Path(path_type=Path),
    required=True,
    help="mesh.yaml, or a folder of them.",
)
@click.option("--listen", default="127.0.0.1:7460", show_default=True, help="API and snapshot streams.")
@click.option("--dns", default="", help="Where names of services are answered, such as 127.0.0.1:7453.")
@click.option("--state", type=click.Path(path_type=Path), help="Folder that keeps epoch and registrations.")
@click.option("--telemetry", default="", help="Base URL of an OTLP/HTTP receiver, such as http://127.0.0.1:4318.")
@click.option("--token", type=click.File(), help="File with the token by which other machines may register instances.")
@click.option(
    "--ca-secret",
    type=click.File(),
    help="File with a secret that seals the keys of the authority; or give it in WHYMESH_CA_SECRET.",
)
@click.option(
    "--node-key", type=click.Path(path_type=Path), help="File to write a key to by which proxies that can read it join."
)
def command(
    path: Path,
    listen: str,
    dns: str,
    state: Path | None,
    telemetry: str,
    token: TextIO | None,
    ca_secret: TextIO | None,
    node_key: Path | None,
) -> None:
    """Tell every proxy of the mesh what to do.

    Reads the mesh configuration, checks it whole, and streams one snapshot to each sidecar that follows. An edit
    takes effect within a second; a mistake is refused with its path and the last good configuration stays in force.

    \b
    Example:
      whymesh control -f mesh.yaml
      curl http://127.0.0.1:7460/v1/status
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stderr)
    mark = mark_of(path)
    try:
        beginning = _begin(path, state)
    except ConfigRefused as error:
        raise SystemExit(_refusal(error)) from None
    except ValueError as error:
        raise SystemExit(_say(str(error))) from None
    safe = Safe(state, secret_of(ca_secret), node_key)
    callers = Callers(token.read().strip() if token else "")
    asyncio.run(_serve(path, mark, listen, dns, beginning, telemetry, callers, safe))


@dataclass(frozen=True)
class _Beginning:
    """What a control plane starts from."""

    written: Configuration
    discovered: Discovered
    kept: KeptRegistrations
    epochs: EpochFile
    publisher: Publisher
    key_sets: KeySets


def _begin(path: Path, state: Path | None) -> _Beginning:
    """Raises ConfigRefused for what is written, ValueError for what is kept."""
    written = load(path)
    kept = KeptRegistrations(state / "instances.sqlite" if state else None)
    key_sets = KeySets.kept(state / "key-sets.json" if state else None)
    discovered = Discovered(registrations=tuple(kept.all()), key_sets=key_sets.known)
    registry = assemble(written, discovered).registry
    epochs = EpochFile(state / "epoch.json" if state else None)
    epoch = epochs.first(digest(registry))
    epochs.keep(epoch, digest(registry))
    return _Beginning(written, discovered, kept, epochs, Publisher(registry, epoch), key_sets)


async def _serve(
    path: Path,
    mark: Mark,
    listen: str,
    dns: str,
    beginning: _Beginning,
    endpoint: str,
    callers: Callers,
    safe: Safe,
) -> None:
    publisher = beginning.publisher
    telemetry = Telemetry(endpoint, publisher)
    in_force = InForce(beginning.written, beginning.discovered, publisher, beginning.epochs, telemetry)
    leases = Leases.begun(beginning.discovered.registrations, time.monotonic())
    checks = Checks(socket.gethostname()[:63], time.monotonic)
    in_force.followers.append(checks.follow)
    checks.follow(publisher.registry)
    key_sets = beginning.key_sets
    in_force.followers.append(key_sets.follow)
    key_sets.follow(publisher.registry)
    telemetry.count_health(lambda: checks.verdict)

    async def leave_out(verdict: Verdict) -> None:
        await in_force.discover(replace(in_force.discovered, left_out=verdict.left_out), "health check")

    async def learn(known: Mapping[str, str]) -> None:
        await in_force.discover(replace(in_force.discovered, key_sets=dict(known)), "key set of an issuer")

    instances = Instances(leases, beginning.kept, in_force, time.monotonic)
    application = Api(publisher, telemetry.metrics).application()
    application.add_routes(PolicyDoor(lambda: publisher.registry).routes())
    application.add_routes(InstanceDoor(instances, callers).routes())
    application.add_routes(HealthDoor(checks, lambda: publisher.registry, callers, time.monotonic).routes())
    office = Office(safe, publisher, in_force, partial(_reported, telemetry, publisher))
    application.add_routes(IdentityDoor(office).routes())
    try:
        await office.tend()
    except (AuthorityError, OSError) as error:
        raise SystemExit(_say(str(error))) from None
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    host, _, port = listen.rpartition(":")
    try:
        await web.TCPSite(runner, host.strip("[]"), int(port)).start()
    except (OSError, ValueError) as error:
        await runner.cleanup()
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise SystemExit(_say(f"--listen {listen}: {reason}; another control plane may be running")) from None
    names = NamesDoor(dns, lambda: publisher.registry)
    try:
        await names.open()
    except (OSError, ValueError) as error:
        await runner.cleanup()
        raise SystemExit(_say(f"--dns {dns}: {error}")) from None
    log.info("epoch %d of %s on %s", publisher.epoch, path, listen)
    ended = await _until_stopped(
        _follow(path, mark, in_force, publisher, telemetry),
        instances.expire(),
        checks.run(leave_out),
        office.follow(),
        key_sets.run(learn),
    )
    await names.close()
    await runner.cleanup()
    beginning.kept.close()
    office.close()
    telemetry.close()
    for task in ended:
        task.result()  # whatever else than the order to stop ended this process is raised


async def _until_stopped(*work: Coroutine[Any, Any, None]) -> set[asyncio.Task[Any]]:
    """Does all work until SIGTERM or SIGINT, or until one of it ends; what has ended by then."""
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    tasks = [asyncio.create_task(each) for each in (stop.wait(), *work)]
    ended, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in others:
        task.cancel()
    await asyncio.wait(others)
    return ended


async def _follow(path: Path, mark: Mark, in_force: InForce, publisher: Publisher, telemetry: Telemetry) -> None:
    """Takes each edit that is valid, as a new epoch; an edit that changes nothing is none."""
    async for _ in edits(path, since=mark):
        try:
            await in_force.write(load(path), actor=f"file {path.name}")
        except ConfigRefused as error:
            telemetry.refusals.inc()
            publisher.refuse(error.mistakes)
            log.error("edit refused, epoch %d stays in force:\n%s", publisher.epoch, error)


def _reported(telemetry: Telemetry, publisher: Publisher, change: Change, actor: str) -> None:
    telemetry.report(change, publisher.epoch, actor)


def _refusal(error: ConfigRefused) -> int:
    return _say("the mesh configuration is not taken:\n  " + "\n  ".join(error.mistakes))


def _say(message: str) -> int:
    click.echo(f"whymesh control: {message}", err=True)
    return 2


if __name__ == "__main__":
    command()
