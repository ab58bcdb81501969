"""Orders services by what is measured of them where no call says what users feel: metrics that stray, resources that
are full, complaints.

In: both windows, and who may call whom. Out: suspects, best first. Each thing that a service does beyond anything seen
before counts by how far beyond it is, in orders of magnitude, as the logarithms of small chances add up; several kinds
of it support one another. Only what users feel by the name of a metric, what is used up, and new complaints make a
suspect; traffic, what its own calls took, and metrics of unknown meaning go up and down with others, and only support.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from math import log

from rootcause.attribute.graph import Graph
from rootcause.attribute.saturation import Saturation
from rootcause.attribute.steps import StepShift
from rootcause.attribute.strays import BEYOND, Stray
from rootcause.attribute.surge import Surge
from rootcause.detect.errors import UNLIKELY
from rootcause.judge.suspect import Suspect
from rootcause.load.metric_names import FELT, USED, Tells

_SUPPORT = 0.25
"""What support weighs: four kinds of it are still nobody's doing."""
_GONE = 0.1
"""Whoever uses less than this part of what is usual has stopped."""
NOBODY_NAMED: Mapping[str, Set[str]] = {}
_AS_ASKED = 1.5
"""Whoever uses up no more than so many times what it is asked more does what it is asked."""


@dataclass(slots=True)
class _Against:
    """Points by kind: `felt` is passed on by callers, `used` is a service's own, `support` is neither."""

    felt: dict[str, float] = field(default_factory=dict)
    used: dict[str, float] = field(default_factory=dict)
    support: dict[str, float] = field(default_factory=dict)

    def points(self, *, passed_on: bool) -> float:
        """What its callees explain is support as well."""
        felt = sum(self.felt.values()) * (_SUPPORT if passed_on else 1.0)
        return felt + sum(self.used.values()) + _SUPPORT * sum(self.support.values())

    @property
    def own(self) -> bool:
        return bool(self.felt or self.used)


def measured(
    strays: Mapping[str, Sequence[Stray]],
    full: Mapping[str, Saturation],
    surges: Mapping[str, Surge],
    complaints: Mapping[str, StepShift],
    graph: Graph,
    addressed: Mapping[str, Set[str]] = NOBODY_NAMED,
) -> list[Suspect]:
    """Suspects by service, each with a score below 1. `addressed`: whom complaints name."""
    against: dict[str, _Against] = defaultdict(_Against)
    for service, several in strays.items():
        for stray in several:
            _weigh(against[service], stray, _asked(several))
    for service in full.keys() | surges.keys():
        against[service].used.setdefault("full", 1.0)
    told: dict[str, StepShift] = {}
    for service, shift in complaints.items():
        if shift.sure:
            points = 1.0 + log(shift.log_chance / UNLIKELY)
            for name in (service, *_meant(service, addressed)):
                felt = against[name].felt
                felt["complaints"] = max(felt.get("complaints", 0.0), points)
                told.setdefault(name, shift)
    own = {service for service, found in against.items() if found.own}
    suspects = []
    for service in own:
        passed_on = bool(_meant(service, addressed) or own & (graph.below(service) - {service}))
        points = against[service].points(passed_on=passed_on)
        suspects.append(
            Suspect(
                service,
                steps=complaints.get(service) or told.get(service),
                full=full.get(service),
                surge=surges.get(service),
                strays=tuple(strays.get(service, ())),
                stray_part=points / (1.0 + points),
            )
        )
    return sorted(suspects, key=lambda suspect: (-suspect.score, suspect.service))


def _meant(service: str, addressed: Mapping[str, Set[str]]) -> Set[str]:
    """The one other that it complains of; who complains of several is what these have in common."""
    others = addressed.get(service, frozenset())
    return others if len(others) == 1 else frozenset()


def _weigh(found: _Against, stray: Stray, asked: float) -> None:
    """The clearest one of a kind counts."""
    if stray.tells in FELT:
        bad = stray.rises == (stray.tells is not Tells.SUCCESS)
        kinds = found.felt if bad else None
    elif stray.tells in USED:
        own = stray.grown > _AS_ASKED * asked if stray.rises else stray.grown < _GONE
        kinds = found.used if own else found.support
    else:
        kinds = found.support
    if kinds is not None:
        kinds[stray.tells.value] = max(kinds.get(stray.tells.value, 0.0), 1.0 + log(stray.times / BEYOND))


def _asked(several: Sequence[Stray]) -> float:
    """How many times what is usual the service is asked."""
    return max((stray.grown for stray in several if stray.tells is Tells.TRAFFIC and stray.rises), default=1.0)
