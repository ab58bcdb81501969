"""Whom callers are no longer told of, given how instances are.

In: services, standings by instance. Out: whom to leave out, and the services of which nobody is left out although
instances are unwell. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from proxy.control.documents import Service
from proxy.control.health.standing import Standing


@dataclass(frozen=True)
class Verdict:
    """Instances to leave out, with the reason, and services in which too few are well to leave anyone out."""

    left_out: dict[str, str]
    panicking: frozenset[str]


def verdict(services: Iterable[Service], standings: Mapping[str, Standing]) -> Verdict:
    """Checks that fail everywhere at once say more of whoever checks than of the instances (`health.panic`)."""
    left_out: dict[str, str] = {}
    panicking = set()
    for service in services:
        health = service.spec.health
        if health is None:
            continue
        mine = {e.instance: standings.get(e.instance) for e in service.spec.endpoints}
        unwell = {name: it.why for name, it in mine.items() if it and it.state == "unwell"}
        if unwell and (len(mine) - len(unwell)) * 100 < health.panic * len(mine):
            panicking.add(service.full_name)
        else:
            left_out |= unwell
    return Verdict(left_out, frozenset(panicking))
