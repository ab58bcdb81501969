"""Finds the one machine on which services are slow, while they, or all others, are well elsewhere at the same time: a
noisy neighbour, a disk or a processor that fails.

In: both windows, the one in question with the nodes of its instances. Out: the node and the services that suffer there.
Never: a machine that one service alone is slow on, for that is this instance's doing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rootcause.attribute.drilldown import HEALTHY_SHARE
from rootcause.attribute.own_time import own_time_shifts
from rootcause.detect.baseline import Shift
from rootcause.detect.latency import slower
from rootcause.load.window import Served, Window

FEWEST = 2
"""Services that have to suffer: of one alone nobody knows whether it is the machine."""
FEWEST_ALONE = 3
NEARLY_ALL = 0.8
"""Where services run on one machine each, so many on it have to suffer, this part of them, and none of as many others:
some services may have more in common than their machine."""


@dataclass(frozen=True, slots=True)
class Machine:
    """On `node` services are slow: `well_elsewhere` there alone, and `nowhere_else` those that have no other node."""

    node: str
    well_elsewhere: tuple[str, ...]
    nowhere_else: tuple[str, ...]

    @property
    def services(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.well_elsewhere, *self.nowhere_else)


def slow_machine(baseline: Window, observed: Window) -> Machine | None:
    """The only machine that services are slow on, if there is such a one."""
    nodes = sorted(set(observed.nodes.values()))
    if len(nodes) < 2:
        return None
    found = [machine for node in nodes if (machine := _slow_on(node, baseline, observed)) is not None]
    return found[0] if len(found) == 1 else None


def _slow_on(node: str, baseline: Window, observed: Window) -> Machine | None:
    there = _shifts(baseline, observed, [row for row in observed.served if _node(row, observed) == node])
    elsewhere = _shifts(baseline, observed, [row for row in observed.served if _node(row, observed) not in ("", node)])
    compared = there.keys() & elsewhere.keys()
    slow = sorted(name for name in there if slower(there[name]))
    well = tuple(name for name in slow if name in compared and _well(elsewhere[name], there[name]))
    alone = tuple(name for name in slow if name not in compared)
    others = [name for name in elsewhere if name not in there]
    by_services = len(well) >= FEWEST and 2 * len(well) > len(compared)
    by_machines = (
        len(alone) >= FEWEST_ALONE
        and len(well) + len(alone) >= NEARLY_ALL * len(there)
        and len(others) >= FEWEST_ALONE
        and not any(slower(elsewhere[name]) for name in others)
    )
    return Machine(node, well, alone) if by_services or by_machines else None


def _shifts(baseline: Window, observed: Window, rows: Sequence[Served]) -> dict[str, Shift]:
    return own_time_shifts(baseline, replace(observed, served=tuple(rows)))


def _node(row: Served, observed: Window) -> str:
    return observed.nodes.get((row.service, row.instance), "")


def _well(elsewhere: Shift, there: Shift) -> bool:
    return _added_ms(elsewhere) <= HEALTHY_SHARE * _added_ms(there)


def _added_ms(shift: Shift) -> float:
    return shift.observed_ms - shift.baseline_ms
