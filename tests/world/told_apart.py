"""Simulated requests of which only some go wrong: those on one machine, in one zone, of one caller or customer.

In: the shop's traffic. Out: the same traffic with its inventory on four machines in two zones, with the customer of
each request in the spans that applications record; or with all of its services on some machines; and the traffic with
some of its requests slow or failing.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from proxy.counts import METRIC
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
    return _longer(traffic, {one.span.id: round(by_ms * 1e6) for one in traffic if chosen(one)})


def burdened(traffic: Sequence[Proxied], chosen: Chosen, times: float) -> list[Proxied]:
    """The chosen requests take so many times as long by themselves, and whoever waits for them as long as that adds."""
    own_ns = {one.span.id: int(one.attributes["mesh.time.own_us"]) * 1000 for one in traffic if chosen(one)}
    return _longer(traffic, {id: round((times - 1) * own) for id, own in own_ns.items()})


def _longer(traffic: Sequence[Proxied], by_ns: Mapping[str, int]) -> list[Proxied]:
    known = {one.span.id: one for one in traffic}
    added: Counter[str] = Counter()
    for id, more in by_ns.items():
        for above in _upwards(known[id], known):
            added[above.span.id] += more
    return [_lasting(one, added[one.span.id], by_ns.get(one.span.id, 0)) for one in traffic]


def _lasting(one: Proxied, more_ns: int, own_ns: int) -> Proxied:
    told = one.attributes.get("mesh.time.own_us")
    own = {"mesh.time.own_us": str(int(told) + own_ns // 1000)} if told is not None else {}
    span = replace(one.span, duration_ns=one.span.duration_ns + more_ns)
    return replace(one, span=span, attributes=one.attributes | own)


def failing(traffic: Sequence[Proxied], chosen: Chosen) -> list[Proxied]:
    """The chosen requests fail, and whoever waits for them."""
    known = {one.span.id: one for one in traffic}
    failed = {above.span.id for one in traffic if chosen(one) for above in _upwards(one, known)}
    return [_failed(one, own=chosen(one)) if one.span.id in failed else one for one in traffic]


def _failed(one: Proxied, *, own: bool) -> Proxied:
    ended = {"http.response.status_code": "500", "error.type": "500"}
    children = {} if own or one.span.kind is not Kind.SERVER else {"mesh.children.failed": "1"}
    return replace(one, span=replace(one.span, failed=True), attributes=one.attributes | ended | children)


def _upwards(one: Proxied, known: Mapping[str, Proxied]) -> Iterator[Proxied]:
    """It and all that lead to it."""
    at: Proxied | None = one
    while at is not None:
        yield at
        at = known.get(at.span.parent)


def on_machines(traffic: Sequence[Proxied], places: Mapping[str, Sequence[str]], seed: int) -> list[Proxied]:
    """Each service has an instance on each machine of its `places`, and any of them serves."""
    dice = random.Random(seed)
    nodes = {one.span.id: dice.choice(places[one.span.service]) for one in traffic if one.span.kind is Kind.SERVER}
    nodes |= {one.span.parent: nodes[one.span.id] for one in traffic if one.span.kind is Kind.SERVER}
    return [_moved(one, nodes[one.span.id]) if one.span.id in nodes else one for one in traffic]


def _moved(one: Proxied, node: str) -> Proxied:
    instance = f"{one.span.peer}-{node}"
    attributes = one.attributes | {"mesh.destination.instance": instance}
    if one.span.kind is Kind.CLIENT:
        return replace(one, attributes=attributes)
    return Proxied(replace(one.span, instance=instance), attributes, resource={"host.name": node})


def counted(places: Mapping[str, Sequence[str]], at: float) -> ExportMetricsServiceRequest:
    """What the proxies of all these instances count at this time."""
    request = ExportMetricsServiceRequest()
    for service, node in ((service, node) for service, machines in places.items() for node in machines):
        resource = request.resource_metrics.add()
        told = {"service.name": service, "service.instance.id": f"{service}-{node}", "host.name": node}
        for key, value in told.items():
            resource.resource.attributes.add(key=key).value.string_value = value
        metric = resource.scope_metrics.add().metrics.add(name=METRIC)
        metric.sum.aggregation_temporality, metric.sum.is_monotonic = 1, True
        metric.sum.data_points.add(time_unix_nano=int(at * 1e9), as_int=10)
    return request
