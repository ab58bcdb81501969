"""Finds the one place, a machine or a zone, where services are slow while they, or all others, are well elsewhere at
the same time: a noisy neighbour, a disk or a processor that fails, a network that is busy.

In: both windows, the one in question with the nodes and zones of its instances. Out: the place and the services that
suffer there. Never: a place where one service alone is slow, for that is this instance's doing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rootcause.attribute.drilldown import HEALTHY_SHARE
from rootcause.attribute.own_time import own_time_shifts
from rootcause.detect.baseline import Shift
from rootcause.detect.latency import slower
from rootcause.load.window import Served, Window

FEWEST = 2
"""Services that have to suffer: of one alone nobody knows whether it is the place."""
FEWEST_ALONE = 3
NEARLY_ALL = 0.8
"""Where services run in one place each, so many there have to suffer, this part of them, and none of as many others:
some services may have more in common than where they run."""

Kind = Literal["node", "zone"]
Instances = Mapping[tuple[str, str], str]
"""Where each instance of a service runs."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where services are slow: `well_elsewhere` there alone, and `nowhere_else` those that have no other."""

    kind: Kind
    name: str
    well_elsewhere: tuple[str, ...]
    nowhere_else: tuple[str, ...]

    @property
    def services(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.well_elsewhere, *self.nowhere_else)


def slow_place(baseline: Window, observed: Window) -> Place | None:
    """The only machine where services are slow, or else the only zone, if there is such a one."""
    return _only("node", observed.nodes, baseline, observed) or _only("zone", observed.zones, baseline, observed)


def _only(kind: Kind, where: Instances, baseline: Window, observed: Window) -> Place | None:
    names = sorted(set(where.values()))
    if len(names) < 2:
        return None
    found = [place for name in names if (place := _slow_in(kind, name, where, baseline, observed)) is not None]
    return found[0] if len(found) == 1 else None


def _slow_in(kind: Kind, name: str, where: Instances, baseline: Window, observed: Window) -> Place | None:
    placed = [(where.get((row.service, row.instance), ""), row) for row in observed.served]
    there = _shifts(baseline, observed, [row for at, row in placed if at == name])
    elsewhere = _shifts(baseline, observed, [row for at, row in placed if at not in ("", name)])
    compared = there.keys() & elsewhere.keys()
    slow = sorted(service for service in there if slower(there[service]))
    well = tuple(service for service in slow if service in compared and _well(elsewhere[service], there[service]))
    alone = tuple(service for service in slow if service not in compared)
    others = [service for service in elsewhere if service not in there]
    by_services = len(well) >= FEWEST and 2 * len(well) > len(compared)
    by_places = (
        len(alone) >= FEWEST_ALONE
        and len(well) + len(alone) >= NEARLY_ALL * len(there)
        and len(others) >= FEWEST_ALONE
        and not any(slower(elsewhere[service]) for service in others)
    )
    return Place(kind, name, well, alone) if by_services or by_places else None


def _shifts(baseline: Window, observed: Window, rows: Sequence[Served]) -> dict[str, Shift]:
    return own_time_shifts(baseline, replace(observed, served=tuple(rows)))


def _well(elsewhere: Shift, there: Shift) -> bool:
    return _added_ms(elsewhere) <= HEALTHY_SHARE * _added_ms(there)


def _added_ms(shift: Shift) -> float:
    return shift.observed_ms - shift.baseline_ms
