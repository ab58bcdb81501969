"""Which requests of a culprit go wrong: from a real collector's store to the culprit, its title and its SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from collector.store.client import Reader
from rootcause.explain.finding import Finding
from rootcause.incidents.casebook import Casebook
from rootcause.incidents.journal import Journal
from rootcause.load.spans import Kind
from rootcause.watch import Watch
from tests.rootcause.stored import runs, send, store_url
from tests.world.collectors import Collector, collector
from tests.world.mesh_sim import Proxied, Shop
from tests.world.told_apart import SERVICE, TENANT, failing, slowed, spread

START = 1_700_000_000
FAULT_S, HEALED_S, LENGTH_S = 90, 140, 180


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Collector]:
    with collector(tmp_path) as running:
        yield running


@dataclass(frozen=True)
class Scene:
    """What goes wrong from START + FAULT_S to + HEALED_S, and what is found of it."""

    bad: Callable[[Proxied, str], bool]
    fails: bool
    told_by: str
    part: tuple[str, str]
    title: str
    link: bool = False


def in_zone(one: Proxied, _: str) -> bool:
    return one.resource["cloud.availability_zone"] == "b"


def into_zone(one: Proxied, _: str) -> bool:
    return one.span.service == "cart" and one.attributes["mesh.destination.zone"] == "b"


def for_cart(one: Proxied, _: str) -> bool:
    return one.attributes["mesh.source.service"] == "cart"


def for_acme(_: Proxied, tenant: str) -> bool:
    return tenant == "acme"


def whoever_asks(_: Proxied, __: str) -> bool:
    return True


TO_B = ("attribute", "mesh.destination.zone = b")
ACME = ("attribute", f"{TENANT} = acme")
OF_CART = "inventory /stock/{id} for cart is slow"
OVER = "the link cart -> inventory for requests with mesh.destination.zone = b is slow"
OF_ACME = f"inventory for requests with {TENANT} = acme"
SCENES = {
    "zone": Scene(in_zone, False, SERVICE, ("zone", "b"), "inventory in zone b is slow"),
    "caller": Scene(for_cart, False, SERVICE, ("caller", "cart"), OF_CART),
    "link": Scene(into_zone, False, SERVICE, TO_B, OVER, link=True),
    "its own": Scene(for_acme, True, SERVICE, ACME, f"{OF_ACME} fails requests"),
    "from outside": Scene(for_acme, False, "front", ACME, f"{OF_ACME} is slow"),
}


def traffic(scene: Scene) -> list[Proxied]:
    spans = spread(Shop(23, rate=6).run(START, LENGTH_S), 5, told_by=scene.told_by)
    tenants = {one.span.trace: one.attributes[TENANT] for one in spans if TENANT in one.attributes}

    def chosen(one: Proxied) -> bool:
        late = FAULT_S <= one.span.start_ns / 1e9 - START < HEALED_S
        if not late or scene.link != (one.span.kind is Kind.CLIENT) or TENANT in one.attributes:
            return False
        return one.span.peer == SERVICE and scene.bad(one, tenants[one.span.trace])

    return failing(spans, chosen) if scene.fails else slowed(spans, chosen, 120.0)


def watched(reader: Reader) -> Finding:
    """The finding of the one incident, when it is over."""
    watch = Watch(reader, Casebook(Journal(reader)))
    happened = [told for after in range(FAULT_S - 15, LENGTH_S, 5) for told in watch.evaluate(float(START + after))[1]]
    assert [event for event, _ in happened] == ["opened", "resolved"]
    return happened[1][1]


EVERYBODY = Scene(whoever_asks, False, SERVICE, ("", ""), "inventory is slow")


def test_what_befalls_all_requests_is_nobodys_alone(running: Collector) -> None:
    send(running, traffic(EVERYBODY))
    with Reader(store_url(running)) as reader:
        found = watched(reader)
    assert found.culprit.model_dump(exclude_defaults=True) == {"service": SERVICE}
    assert not any("all others" in one.statement for one in found.evidence)


@pytest.mark.parametrize("name", SCENES)
def test_what_the_bad_requests_have_in_common_is_named(running: Collector, name: str) -> None:
    scene = SCENES[name]
    send(running, traffic(scene))
    with Reader(store_url(running)) as reader:
        found = watched(reader)
        culprit = found.culprit.model_dump(include={"node", "zone", "caller", "attribute"}, exclude_defaults=True)
        assert (found.culprit.service, culprit) == (SERVICE, dict([scene.part]))
        assert found.title.startswith(f"{scene.title}: ")
        (apart,) = [one for one in found.evidence if "all others at the same time" in one.statement]
        rows = {row["Value"]: row for row in reader.rows(apart.sql)}
        assert len(rows) > 1
        bad = rows[scene.part[1].rpartition("= ")[2]]
        assert f"{bad['Requests']} " in apart.statement, (apart.statement, rows)
        assert all(runs(reader, [one.sql for one in found.evidence]))
        traces = {one.span.trace: one for one in traffic(scene) if one.span.kind is Kind.SERVER}
        assert found.exemplars[0] in traces
