"""Simulated requests of which only some go wrong: those on one machine, in one zone, of one caller or customer.

In: the shop's traffic. Out: the same traffic with its inventory on four machines in two zones, with the customer of
each request in the spans that applications record; and the traffic with some of its requests slow or failing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from rootcause.load.spans import Kind
from tests.world.mesh_sim import Proxied

SERVICE = "inventory"
NODES = {"n1": "a", "n2": "a", "n3": "b", "n4": "b"}
"""Zones of the machines that the service runs on, by their names."""
TENANTS = ("acme", "globex", "initech", "umbrella", "hooli")
TENANT = "app.tenant"

Chosen = Callable[[Proxied], bool]


def spread(traffic: Sequence[Proxied], seed: int, *, told_by: str) -> list[Proxied]:
    """Each request to the service is served on one of the machines; each request from outside is of some customer,
    which the application of `told_by` records."""
    dice = random.Random(seed)
    tenants = {one.span.trace: dice.choice(TENANTS) for one in traffic if not one.span.parent}
    nodes = {one.span.id: dice.choice(list(NODES)) for one in traffic if _served(one, SERVICE)}
    nodes |= {one.span.parent: nodes[one.span.id] for one in traffic if _served(one, SERVICE)}
    made = []
    for one in traffic:
        node = nodes.get(one.span.id)
        made.append(_on(one, node) if node else one)
        if _served(one, told_by):
            made.append(_recorded(made[-1], tenants[one.span.trace]))
    return made


def _served(one: Proxied, service: str) -> bool:
    return one.span.service == service and one.span.kind is Kind.SERVER


def _on(one: Proxied, node: str) -> Proxied:
    """What both ends say of a request on this machine."""
    instance = f"{SERVICE}-{node}"
    attributes = one.attributes | {"mesh.destination.instance": instance}
    if one.span.service != SERVICE:
        return replace(one, attributes=attributes | {"mesh.destination.zone": NODES[node]})
    placed = {"host.name": node, "cloud.availability_zone": NODES[node]}
    return Proxied(replace(one.span, instance=instance), attributes, resource=placed)


def _recorded(one: Proxied, tenant: str) -> Proxied:
    """The application's own span of a request."""
    span = replace(one.span, id=one.span.id[::-1], parent=one.span.id, peer="")
    return Proxied(span, {TENANT: tenant, "app.build": "7"}, resource=one.resource)


def slowed(traffic: Sequence[Proxied], chosen: Chosen, by_ms: float) -> list[Proxied]:
    """The chosen requests take longer by themselves, or on their way, and whoever waits for them as long."""
    longer = dict.fromkeys((one.span.id for one in _above(traffic, chosen)), round(by_ms * 1e6))
    return [_longer(one, longer.get(one.span.id, 0), own=chosen(one)) for one in traffic]


def _longer(one: Proxied, by_ns: int, *, own: bool) -> Proxied:
    attributes = dict(one.attributes)
    if own and one.span.kind is Kind.SERVER:
        attributes["mesh.time.own_us"] = str(int(attributes["mesh.time.own_us"]) + by_ns // 1000)
    return replace(one, span=replace(one.span, duration_ns=one.span.duration_ns + by_ns), attributes=attributes)


def failing(traffic: Sequence[Proxied], chosen: Chosen) -> list[Proxied]:
    """The chosen requests fail, and whoever waits for them."""
    failed = {one.span.id: chosen(one) for one in _above(traffic, chosen)}
    return [_failed(one, own=failed[one.span.id]) if one.span.id in failed else one for one in traffic]


def _failed(one: Proxied, *, own: bool) -> Proxied:
    ended = {"http.response.status_code": "500", "error.type": "500"}
    children = {} if own or one.span.kind is not Kind.SERVER else {"mesh.children.failed": "1"}
    return replace(one, span=replace(one.span, failed=True), attributes=one.attributes | ended | children)


def _above(traffic: Sequence[Proxied], chosen: Chosen) -> Iterable[Proxied]:
    """The chosen requests and all that lead to them."""
    known = {one.span.id: one for one in traffic}
    for one in traffic:
        at: Proxied | None = one if chosen(one) else None
        while at is not None:
            yield at
            at = known.get(at.span.parent)
