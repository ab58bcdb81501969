"""On which machine, or in which zone, services are slow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace

import pytest

from rootcause.attribute.places import Place, slow_place
from rootcause.load.spans import Kind
from rootcause.load.window import STEP_S, Bucket, Interval, Served, Window
from tests.rootcause.windows import FAULT_AT, NORMAL, QUESTION, START
from tests.world.mesh_sim import Proxied, Shop
from tests.world.telemetry import SERVICES
from tests.world.told_apart import burdened, on_machines

FIRST, SECOND = SERVICES[:4], SERVICES[4:]
EVERYWHERE = dict.fromkeys(SERVICES, ("n1", "n2", "n3"))
APART = {**dict.fromkeys(FIRST, ("n1",)), **dict.fromkeys(SECOND, ("n2",))}
ZONES = {"n1": "a", "n2": "b", "n3": "b", "n4": "a"}
FOUR = dict.fromkeys(SERVICES, tuple(ZONES))
MIXED = EVERYWHERE | {"payments": ("n2",)}


def found(
    places: Mapping[str, Sequence[str]], nodes: Set[str], services: Set[str] = frozenset(SERVICES), seed: int = 5
) -> Place | None:
    """With these services four times as slow on these nodes."""
    traffic = on_machines(Shop(seed, rate=20).run(START, QUESTION.end - START), places, seed)

    def burden(one: Proxied) -> bool:
        since = one.span.kind is Kind.SERVER and one.span.start_ns / 1e9 >= FAULT_AT
        return since and one.resource["host.name"] in nodes and one.span.service in services

    slow = burdened(traffic, burden, 4.0)
    instances = {(service, f"{service}-{node}"): node for service, on in places.items() for node in on}
    zones = {instance: ZONES[node] for instance, node in instances.items()}
    return slow_place(served(slow, NORMAL), replace(served(slow, QUESTION), nodes=instances, zones=zones))


def served(traffic: Sequence[Proxied], interval: Interval) -> Window:
    """What proxies say of their own time, as the roll-ups add it up."""
    rows: dict[tuple[str, str, str], dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    for one in traffic:
        span, at = one.span, one.span.start_ns / 1e9
        if span.kind is Kind.SERVER and at in interval:
            own_ms = int(one.attributes["mesh.time.own_us"]) / 1e3
            rows[span.service, span.instance, span.name][at // STEP_S * STEP_S].append(own_ms)
    return Window(
        (interval,),
        tuple(
            Served(service, "", instance, route, entry=False, buckets=tuple(_bucket(*one) for one in by_start.items()))
            for (service, instance, route), by_start in rows.items()
        ),
    )


def _bucket(start: float, own_ms: Sequence[float]) -> Bucket:
    return Bucket(start, len(own_ms), own_ms=sum(own_ms), own_calls=len(own_ms))


def test_services_that_are_well_on_others() -> None:
    place = found(EVERYWHERE, {"n2"})
    assert place is not None
    assert (place.name, place.nowhere_else) == ("n2", ())
    assert set(place.well_elsewhere) == set(SERVICES)


def test_with_one_that_runs_nowhere_else() -> None:
    place = found(MIXED, {"n2"})
    assert place is not None
    assert (place.name, place.nowhere_else) == ("n2", ("payments",))
    assert set(place.services) == set(SERVICES)


def test_services_that_run_on_one_machine_each() -> None:
    place = found(APART, {"n1"})
    assert place == Place("node", "n1", (), tuple(sorted(FIRST)))


def test_a_zone_of_several_machines() -> None:
    place = found(FOUR, {"n2", "n3"})
    assert place is not None
    assert (place.kind, place.name, place.nowhere_else) == ("zone", "b", ())
    assert set(place.well_elsewhere) == set(SERVICES)


@pytest.mark.parametrize(
    ("places", "nodes", "services"),
    [
        (EVERYWHERE, {"n2"}, {"payments"}),
        (EVERYWHERE, {"n2"}, {"payments", "cart"}),
        (EVERYWHERE, {"n1", "n2", "n3"}, set(SERVICES)),
        (FOUR, {"n1", "n2"}, set(SERVICES)),
        (APART, {"n1"}, {"catalog", "cart"}),
        (APART, {"n1", "n2"}, set(SERVICES)),
        (APART, {"n1", "n2"}, {*FIRST, "payments"}),
        (dict.fromkeys(SERVICES, ("n1",)), {"n1"}, set(SERVICES)),
    ],
)
def test_none_where_others_say_otherwise(
    places: Mapping[str, Sequence[str]], nodes: Set[str], services: Set[str]
) -> None:
    assert found(places, nodes, services) is None


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("places", [EVERYWHERE, APART])
def test_none_where_all_are_well(places: Mapping[str, Sequence[str]], seed: int) -> None:
    assert found(places, set(), seed=seed) is None
