"""The wiring of the control plane, read top to bottom: what it starts from, is made of, and does until it stops.

In: options. Out: snapshots to proxies, an API, names. Raises ConfigRefused, ControlError and ValueError before it
serves anybody.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

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
from proxy.control.authority.safe import Safe
from proxy.control.cluster import ClusterPart
from proxy.control.discovery.assemble import Discovered
from proxy.control.discovery.door import InstanceDoor
from proxy.control.discovery.instances import Instances
from proxy.control.discovery.kept import KeptRegistrations
from proxy.control.discovery.leases import Leases
from proxy.control.discovery.srv import SrvRecords
from proxy.control.epochs.begin import Beginning, begin, joined, last_known
from proxy.control.epochs.change import Change
from proxy.control.epochs.in_force import InForce
from proxy.control.errors import ConfigRefused, ControlError, NotStarted
from proxy.control.health.checks import Checks
from proxy.control.health.door import HealthDoor
from proxy.control.health.leave_out import Verdict
from proxy.control.known import Known
from proxy.control.leading import Leadership
from proxy.control.listening import answering_names, listening, names_of
from proxy.control.names.upstream import RESOLV_CONF, resolvers_of
from proxy.control.options import Options
from proxy.control.policies.key_sets import KeySets
from proxy.control.publish import Publisher
from proxy.control.recording import Recording
from proxy.control.sharing import Sharing
from proxy.control.sources import Files, Source, actor_of
from proxy.control.state.state import State
from proxy.control.state.tokens import Tokens
from proxy.control.telemetry import Telemetry

log = logging.getLogger("whymesh.control")


@dataclass(frozen=True)
class Start:
    """What a control plane starts from."""

    cluster: ClusterPart
    source: Source | None
    state: State
    kept: KeptRegistrations
    leads: bool
    beginning: Beginning
    publisher: Publisher
    key_sets: KeySets


def start(options: Options) -> Start:
    """Leads or joins. Raises ConfigRefused for what is written, ControlError and ValueError for what is kept."""
    cluster = ClusterPart(options)
    source = Files(options.path) if options.path else cluster.source
    files = source.read() if source else ()
    state = State(options.state)
    kept = KeptRegistrations(options.state / "instances.sqlite" if options.state else None)
    key_sets = KeySets.kept(options.state / "key-sets.json" if options.state else None)
    leads = state.lease.take(options.url, time.time())
    if leads:
        discovered = Discovered(registrations=tuple(kept.all()), key_sets=key_sets.known)
        before = last_known(state)
        known = Known(discovered, before.trust, before.recording)
        beginning = begin(state, files, known, actor_of(source), datetime.now(UTC))
    else:
        beginning = joined(state)
    if not options.listen and beginning.registry.mesh.spec.authority is None:
        raise NotStarted("--tls: the Mesh has no spec.authority to vouch for this control plane; --listen needs none")
    return Start(
        cluster, source, state, kept, leads, beginning, Publisher(beginning.registry, beginning.epoch), key_sets
    )


async def serve(options: Options, start: Start, safe: Safe) -> None:
    """Until SIGTERM or SIGINT. Raises NotStarted."""
    publisher, state, cluster, source = start.publisher, start.state, start.cluster, start.source
    telemetry = Telemetry(options.telemetry, publisher)
    in_force = InForce(state, start.beginning, publisher, telemetry)
    in_force.leads = start.leads
    held = start.beginning.known.discovered.registrations if start.leads else ()
    instances = Instances(Leases.begun(held, time.monotonic()), start.kept, in_force, time.monotonic)
    checks = Checks(socket.gethostname()[:63], time.monotonic)
    key_sets, recording = start.key_sets, Recording(in_force, time.time)
    records = SrvRecords(instances, resolvers_of(RESOLV_CONF, options.dns))
    in_force.follow(
        publisher.registry, checks.follow, key_sets.follow, recording.follow, records.follow, cluster.follow
    )
    telemetry.count_health(lambda: checks.verdict)

    async def leave_out(verdict: Verdict) -> None:
        await in_force.discover(replace(in_force.discovered, left_out=verdict.left_out), "health check")

    async def learn(known: Mapping[str, str]) -> None:
        await in_force.discover(replace(in_force.discovered, key_sets=dict(known)), "key set of an issuer")

    async def lead() -> None:
        instances.begin_again()
        await leave_out(checks.verdict)

    leadership = Leadership(state, in_force, source, options.url, lead)
    tokens = Tokens(state.sql)
    callers = Callers(tokens, options.token, options.operator)
    door = OwnDoor(names_of(options)) if options.tls else None
    office = Office(safe, publisher, in_force, partial(_reported, telemetry, publisher), door=door, ask=cluster.ask)
    api = Api(
        publisher,
        telemetry.metrics,
        ConfigApi(in_force, callers),
        TokenApi(tokens, callers),
        lambda: status(publisher, office.shown(), key_sets.problems),
        lambda: cluster.source is None or bool(publisher.registry.documents) or cluster.source.read() is not None,
    )
    application = api.application()
    doors = (
        PolicyDoor(lambda: publisher.registry, callers),
        InstanceDoor(instances, callers),
        RecordingDoor(recording, callers, time.time),
        HealthDoor(checks, lambda: publisher.registry, callers, time.monotonic),
        IdentityDoor(office),
    )
    for each in doors:
        application.add_routes(each.routes())
    application.add_routes(cluster.door(lambda: publisher.registry.trust))
    application.middlewares.append(proven(office.why_not))
    try:
        await office.tend()
        await cluster.open()
    except (AuthorityError, OSError) as error:
        raise NotStarted(str(error)) from None
    runner = await listening(application, options.listen, (options.tls, door.context) if door else None)
    names = await answering_names(options.dns, lambda: publisher.registry, runner)
    log.info("epoch %d of %s on %s", publisher.epoch, options.kept_at or actor_of(source), options.reached_at)
    work = [
        leadership.run(),
        instances.expire(),
        recording.expire(),
        checks.run(leave_out),
        office.follow(),
        key_sets.run(learn),
        records.run(lambda: in_force.leads),
        *cluster.work(),
    ]
    sharing = Sharing(options.state, options.url, publisher) if options.state else None
    work += [sharing.run()] if sharing else []
    if source:
        work.append(source.run(partial(_take, source, in_force, publisher, telemetry)))
    ended = await _until_stopped(*work)
    await names.close()
    state.lease.release()
    await runner.cleanup()
    await cluster.close()
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


async def _take(source: Source, in_force: InForce, publisher: Publisher, telemetry: Telemetry) -> None:
    """Takes an edit that is valid, as a new epoch; an edit that changes nothing is none."""
    if not in_force.leads:
        return
    try:
        await in_force.read_again(source.read() or (), source.actor)
    except ConfigRefused as error:
        telemetry.refusals.inc()
        publisher.refuse(error.mistakes)
        log.error("edit refused, epoch %d stays in force:\n%s", publisher.epoch, error)
    except ControlError as error:
        log.error("edit not taken, epoch %d stays in force: %s", publisher.epoch, error)


def _reported(telemetry: Telemetry, publisher: Publisher, change: Change, actor: str) -> None:
    telemetry.report(change, publisher.epoch, actor)
