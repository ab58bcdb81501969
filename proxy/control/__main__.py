"""`python -m proxy.control`: configuration on disk -> registry -> one snapshot a proxy, streamed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import signal
import socket
import ssl
import sys
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urlsplit

import click
from aiohttp import web

from proxy.control.api.app import Api
from proxy.control.api.callers import Callers
from proxy.control.api.config import ConfigApi
from proxy.control.api.policies import PolicyDoor
from proxy.control.api.proven import proven
from proxy.control.api.recording import RecordingDoor
from proxy.control.api.status import status
from proxy.control.api.tokens import TokenApi
from proxy.control.authority.door import IdentityDoor
from proxy.control.authority.errors import AuthorityError
from proxy.control.authority.office import Office
from proxy.control.authority.own_door import OwnDoor
from proxy.control.authority.review import Ask
from proxy.control.authority.safe import Safe, secret_of
from proxy.control.discovery.assemble import Discovered
from proxy.control.discovery.door import InstanceDoor
from proxy.control.discovery.instances import Instances
from proxy.control.discovery.kept import KeptRegistrations
from proxy.control.discovery.leases import Leases
from proxy.control.discovery.srv import SrvRecords
from proxy.control.epochs.begin import Beginning, begin, joined, last_known
from proxy.control.epochs.change import Change
from proxy.control.epochs.in_force import InForce
from proxy.control.errors import ConfigRefused, ControlError
from proxy.control.health.checks import Checks
from proxy.control.health.door import HealthDoor
from proxy.control.health.leave_out import Verdict
from proxy.control.known import Known
from proxy.control.leading import Leadership, file_actor
from proxy.control.names.door import NamesDoor
from proxy.control.names.upstream import RESOLV_CONF, resolvers_of
from proxy.control.policies.key_sets import KeySets
from proxy.control.publish import Publisher
from proxy.control.reading.read import read
from proxy.control.recording import Recording
from proxy.control.sharing import Sharing
from proxy.control.state.state import State
from proxy.control.state.tokens import Tokens
from proxy.control.telemetry import Telemetry
from proxy.control.watch import Mark, edits, mark_of

log = logging.getLogger("whymesh.control")


@dataclass(frozen=True)
class _Options:
    """Of one control plane; `url` is where others reach it; `tls`, `dns` and `token` are empty for none."""

    path: Path | None
    listen: str
    tls: str
    dns: str
    state: Path | None
    url: str
    telemetry: str
    token: str
    reviews: bool
    kubeconfig: str | None


@click.command(name="control")
@click.option(
    "-f",
    "--file",
    "path",
    type=click.Path(path_type=Path),
    help="mesh.yaml, or a folder of them; without it the configuration is what the API was told.",
)
@click.option("--listen", default="127.0.0.1:7460", show_default=True, help="API and snapshot streams.")
@click.option("--tls", default="", help="Where proxies and people elsewhere connect, over TLS, such as 0.0.0.0:7461.")
@click.option("--dns", default="", help="Where names of services are answered, such as 127.0.0.1:7453.")
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    help="Folder that keeps epochs with their history, changes over the API, registrations; two may share it.",
)
@click.option("--url", help="Where others reach this API, if not at --listen: one that does not lead sends them there.")
@click.option("--telemetry", default="", help="Base URL of an OTLP/HTTP receiver, such as http://127.0.0.1:4318.")
@click.option("--token", type=click.File(), help="File with a token by which other machines may make changes.")
@click.option(
    "--ca-secret",
    type=click.File(),
    help="File with a secret that seals the keys of the authority; or give it in WHYMESH_CA_SECRET.",
)
@click.option(
    "--node-key", type=click.Path(path_type=Path), help="File to write a key to by which proxies that can read it join."
)
@click.option(
    "--review-tokens", is_flag=True, help="Pods of a Kubernetes cluster join with their service account token."
)
@click.option("--kubeconfig", type=click.Path(exists=True, dir_okay=False), help="Of another cluster than we run in.")
def command(
    path: Path | None,
    listen: str,
    tls: str,
    dns: str,
    state: Path | None,
    url: str | None,
    telemetry: str,
    token: TextIO | None,
    ca_secret: TextIO | None,
    node_key: Path | None,
    review_tokens: bool,
    kubeconfig: str | None,
) -> None:
    """Tell every proxy of the mesh what to do.

    Reads the mesh configuration, checks it whole, and streams one snapshot to each sidecar that follows. An edit
    takes effect within a second; a mistake is refused with its path and the last good configuration stays in force.
    The same over HTTP: whymesh apply, get, history.

    \b
    Example:
      whymesh control -f mesh.yaml --state state/
      curl http://127.0.0.1:7460/v1/status
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stderr)
    if not path and not state:
        raise click.UsageError("name what the mesh is: -f mesh.yaml, --state with what the API was told, or both")
    given = token.read().strip() if token else ""
    reach = url or f"http://{listen}"
    options = _Options(path, listen, tls, dns, state, reach, telemetry, given, review_tokens, kubeconfig)
    mark = mark_of(path) if path else ()
    try:
        start = _start(options)
    except ConfigRefused as error:
        raise SystemExit(_refusal(error)) from None
    except (ControlError, ValueError) as error:
        raise SystemExit(_say(str(error))) from None
    _take_every_file()
    asyncio.run(_serve(options, mark, start, Safe(state, secret_of(ca_secret), node_key)))


def _take_every_file() -> None:
    """Each proxy that follows is an open file, and the usual limit of 1024 is not meant."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # where "no limit" is more than the system gives
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@dataclass(frozen=True)
class _Start:
    """What a control plane starts from."""

    state: State
    kept: KeptRegistrations
    leads: bool
    beginning: Beginning
    publisher: Publisher
    key_sets: KeySets


def _start(options: _Options) -> _Start:
    """Raises ConfigRefused for what is written, ControlError and ValueError for what is kept."""
    files = read(options.path) if options.path else ()
    state = State(options.state)
    kept = KeptRegistrations(options.state / "instances.sqlite" if options.state else None)
    key_sets = KeySets.kept(options.state / "key-sets.json" if options.state else None)
    leads = state.lease.take(options.url, time.time())
    if leads:
        discovered = Discovered(registrations=tuple(kept.all()), key_sets=key_sets.known)
        before = last_known(state)
        known = Known(discovered, before.trust, before.recording)
        beginning = begin(state, files, known, file_actor(options.path), datetime.now(UTC))
    else:
        beginning = joined(state)
    return _Start(state, kept, leads, beginning, Publisher(beginning.registry, beginning.epoch), key_sets)


async def _serve(options: _Options, mark: Mark, start: _Start, safe: Safe) -> None:
    publisher, state = start.publisher, start.state
    telemetry = Telemetry(options.telemetry, publisher)
    in_force = InForce(state, start.beginning, publisher, telemetry)
    in_force.leads = start.leads
    held = start.beginning.known.discovered.registrations if start.leads else ()
    instances = Instances(Leases.begun(held, time.monotonic()), start.kept, in_force, time.monotonic)
    checks = Checks(socket.gethostname()[:63], time.monotonic)
    key_sets, recording = start.key_sets, Recording(in_force, time.time)
    records = SrvRecords(instances, resolvers_of(RESOLV_CONF, options.dns))
    in_force.follow(publisher.registry, checks.follow, key_sets.follow, recording.follow, records.follow)
    telemetry.count_health(lambda: checks.verdict)

    async def leave_out(verdict: Verdict) -> None:
        await in_force.discover(replace(in_force.discovered, left_out=verdict.left_out), "health check")

    async def learn(known: Mapping[str, str]) -> None:
        await in_force.discover(replace(in_force.discovered, key_sets=dict(known)), "key set of an issuer")

    async def lead() -> None:
        instances.begin_again()
        await leave_out(checks.verdict)

    leadership = Leadership(state, in_force, options.path, options.url, lead)
    tokens = Tokens(state.sql)
    callers = Callers(tokens, options.token)
    door = OwnDoor(_names_of(options)) if options.tls else None
    ask = _asking(options.kubeconfig) if options.reviews else None
    office = Office(safe, publisher, in_force, partial(_reported, telemetry, publisher), door=door, ask=ask)
    api = Api(
        publisher,
        telemetry.metrics,
        ConfigApi(in_force, callers),
        TokenApi(tokens, callers),
        lambda: status(publisher, office.shown(), key_sets.problems),
    )
    application = api.application()
    application.add_routes(PolicyDoor(lambda: publisher.registry, callers).routes())
    application.add_routes(InstanceDoor(instances, callers).routes())
    application.add_routes(RecordingDoor(recording, callers, time.time).routes())
    application.add_routes(HealthDoor(checks, lambda: publisher.registry, callers, time.monotonic).routes())
    application.middlewares.append(proven(office.why_not))
    application.add_routes(IdentityDoor(office).routes())
    try:
        await office.tend()
    except (AuthorityError, OSError) as error:
        raise SystemExit(_say(str(error))) from None
    runner = await _listening(application, options.listen, (options.tls, door.context) if door else None)
    names = await _answering_names(options.dns, publisher, runner)
    log.info("epoch %d of %s on %s", publisher.epoch, options.path or options.state, options.listen)
    work = [
        leadership.run(),
        instances.expire(),
        recording.expire(),
        checks.run(leave_out),
        office.follow(),
        key_sets.run(learn),
        records.run(lambda: in_force.leads),
    ]
    sharing = Sharing(options.state, options.url, publisher) if options.state else None
    work += [sharing.run()] if sharing else []
    if options.path:
        work.append(_follow(options.path, mark, in_force, publisher, telemetry))
    ended = await _until_stopped(*work)
    await names.close()
    state.lease.release()
    await runner.cleanup()
    for close in (start.kept.close, office.close, *([sharing.close] if sharing else ()), state.close, telemetry.close):
        close()
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


def _asking(kubeconfig: str | None) -> Ask:
    """What has a cluster review tokens; only this needs what belongs to Kubernetes."""
    from proxy.control.kubernetes.reviewing import Reviewing  # noqa: PLC0415

    return Reviewing(kubeconfig).ask


def _names_of(options: _Options) -> set[str]:
    """Hosts and addresses by which others may reach the TLS door."""
    known = {options.tls.rpartition(":")[0].strip("[]"), urlsplit(options.url).hostname, socket.gethostname()}
    return {name for name in known if name} - {"0.0.0.0", "::"} | {"localhost", "127.0.0.1", "::1"}  # noqa: S104


async def _listening(
    application: web.Application, listen: str, secure: tuple[str, ssl.SSLContext] | None
) -> web.AppRunner:
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    doors = [("--listen", listen, None)] + ([("--tls", *secure)] if secure else [])
    for option, address, context in doors:
        host, _, port = address.rpartition(":")
        try:
            await web.TCPSite(runner, host.strip("[]"), int(port), ssl_context=context).start()
        except (OSError, ValueError) as error:
            await runner.cleanup()
            reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
            raise SystemExit(_say(f"{option} {address}: {reason}; another control plane may be running")) from None
    return runner


async def _answering_names(dns: str, publisher: Publisher, runner: web.AppRunner) -> NamesDoor:
    names = NamesDoor(dns, lambda: publisher.registry)
    try:
        await names.open()
    except (OSError, ValueError) as error:
        await runner.cleanup()
        raise SystemExit(_say(f"--dns {dns}: {error}")) from None
    return names


async def _follow(path: Path, mark: Mark, in_force: InForce, publisher: Publisher, telemetry: Telemetry) -> None:
    """Takes each edit that is valid, as a new epoch; an edit that changes nothing is none."""
    async for _ in edits(path, since=mark):
        if not in_force.leads:
            continue
        try:
            await in_force.read_again(read(path), f"file {path.name}")
        except ConfigRefused as error:
            telemetry.refusals.inc()
            publisher.refuse(error.mistakes)
            log.error("edit refused, epoch %d stays in force:\n%s", publisher.epoch, error)
        except ControlError as error:
            log.error("edit not taken, epoch %d stays in force: %s", publisher.epoch, error)


def _reported(telemetry: Telemetry, publisher: Publisher, change: Change, actor: str) -> None:
    telemetry.report(change, publisher.epoch, actor)


def _refusal(error: ConfigRefused) -> int:
    return _say("the mesh configuration is not taken:\n  " + "\n  ".join(error.mistakes))


def _say(message: str) -> int:
    click.echo(f"whymesh control: {message}", err=True)
    return 2


if __name__ == "__main__":
    command()
