"""Instances of Services that name an SRV record (`spec.srv`; RFC 2782), registered as if they did so themselves.

In: the registry in force, what resolvers say of its records. Out: registrations, renewed for as long as the record has
them. Never: an instance taken out because no resolver answers; what was known last is renewed until one does.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence

import dns.asyncquery
import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
from pydantic import ValidationError

from proxy.control.discovery.instance import Registration
from proxy.control.discovery.instances import Instances
from proxy.control.discovery.leases import Taken, Unknown
from proxy.control.documents import Service
from proxy.control.errors import ControlError
from proxy.control.registry import Registry

log = logging.getLogger("whymesh.control")

AGAIN_S = 10.0
LEASE = "60s"
"""Six times that: a control plane that is busy or starts again takes nobody out."""
_PATIENCE_S = 2.0
_ACTOR = "SRV record"


class Unanswered(Exception):
    """No resolver says anything of a record; the message names them."""


class SrvRecords:
    """Keeps every record of the registry in force; `before` are the resolvers of this machine, as host:port."""

    def __init__(self, instances: Instances, before: tuple[str, ...]) -> None:
        self._instances, self._before = instances, before
        self._held: dict[str, set[str]] = {}
        self._problems: dict[str, str] = {}
        self._registry: Registry | None = None
        self._wanted: dict[str, str] = {}
        self._changed = asyncio.Event()

    def follow(self, registry: Registry) -> None:
        """Asks for what this registry names, from now on."""
        self._registry = registry
        wanted = {one.full_name: one.spec.srv for one in registry.services if one.spec.srv}
        if wanted != self._wanted:
            self._wanted = wanted
            self._changed.set()

    async def run(self, leads: Callable[[], bool]) -> None:
        """Runs until it is cancelled; only one that leads registers anybody."""
        while True:
            self._changed.clear()
            if leads() and self._registry is not None:
                await self._look(self._registry)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), AGAIN_S)

    async def _look(self, registry: Registry) -> None:
        for name in self._held.keys() - self._wanted.keys():
            await self._keep(name, {})
        for service in registry.services:
            if not service.spec.srv:
                continue
            try:
                found = await targets(service.spec.srv, registry.mesh.spec.dns.resolvers(self._before))
            except Unanswered as error:
                self._complain(service.full_name, f"{error}; its last instances stay")
                for instance in self._held.get(service.full_name, ()):
                    with contextlib.suppress(Unknown, ControlError):
                        self._instances.renew(instance)
                continue
            await self._keep(service.full_name, dict(_registrations(service, found)))

    async def _keep(self, service: str, wanted: dict[str, Registration]) -> None:
        """Registers those of a service that are new, renews the others, and takes out who is not among them."""
        held = self._held.setdefault(service, set())
        problem = ""
        for instance, registration in wanted.items():
            try:
                try:
                    self._instances.renew(instance)
                except Unknown:
                    await self._instances.register(registration, _ACTOR)
                held.add(instance)
            except (Taken, ControlError) as error:
                problem = f"{instance} is left out: {error}"
        for instance in held - wanted.keys():
            with contextlib.suppress(Unknown, ControlError):
                await self._instances.leave(instance, _ACTOR)
            held.discard(instance)
        if not wanted and service not in self._wanted:
            del self._held[service]
        self._complain(service, problem)

    def _complain(self, service: str, problem: str) -> None:
        """Once for each problem, however often it is met."""
        if problem and self._problems.get(service) != problem:
            log.error("SRV record of %s: %s", service, problem)
        self._problems[service] = problem


async def targets(record: str, resolvers: Sequence[str]) -> list[tuple[str, int]]:
    """Host and port of each target of the lowest priority; none where the record has none. Raises Unanswered."""
    query = dns.message.make_query(record, dns.rdatatype.SRV, use_edns=0)
    problems = []
    for resolver in resolvers:
        host, _, port = resolver.rpartition(":")
        try:
            response, _ = await dns.asyncquery.udp_with_fallback(
                query, host.strip("[]"), _PATIENCE_S, int(port), ignore_unexpected=True
            )
        except (OSError, EOFError, dns.exception.DNSException) as error:
            problems.append(f"{resolver}: {str(error) or type(error).__name__}")
            continue
        if response.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            return _first(response.answer)
        problems.append(f"{resolver} answered {dns.rcode.to_text(response.rcode())}")
    raise Unanswered(f"{record}: {', '.join(problems) or 'there is no resolver to ask (spec.dns.upstreams)'}")


def _first(answer: list[dns.rrset.RRset]) -> list[tuple[str, int]]:
    """Those that are to be tried first; a target of `.` says that there is no such service (RFC 2782)."""
    found = [one for rrset in answer if rrset.rdtype == dns.rdatatype.SRV for one in rrset]
    first = min((one.priority for one in found), default=0)
    hosts = ((one.target.to_text(omit_final_dot=True).lower(), one.port) for one in found if one.priority == first)
    return sorted({(host, port) for host, port in hosts if host not in ("", ".")})


def _registrations(service: Service, found: list[tuple[str, int]]) -> Iterator[tuple[str, Registration]]:
    for host, port in found:
        instance = f"{service.full_name}-{host}-{port}"
        said = {"service": service.full_name, "instance": instance, "app": f"{host}:{port}", "lease": LEASE}
        try:
            yield instance, Registration.model_validate(said)
        except ValidationError as error:
            log.error(
                "SRV record of %s: %s:%d is left out: %s", service.full_name, host, port, error.errors()[0]["msg"]
            )
