"""Orders services by what is measured of them where no call says what users feel: metrics that stray, resources that
are full, complaints.

In: both windows, and who may call whom. Out: suspects, best first. Each thing that a service does beyond anything seen
before counts by how far beyond it is, in orders of magnitude, as the logarithms of small chances add up; several kinds
of it support one another. Only what users feel by the name of a metric, what is used up, and new complaints make a
suspect; traffic, what its own calls took, and metrics of unknown meaning go up and down with others, and only support.
What is felt is passed on by callers, and is told by `attribute/felt_deepest.py` to be of whoever is deepest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from math import log

from rootcause.attribute.felt_deepest import shares_of_felt
from rootcause.attribute.graph import Graph
from rootcause.attribute.saturation import Saturation
from rootcause.attribute.steps import StepShift
from rootcause.attribute.strays import BEYOND, Stray
from rootcause.attribute.surge import Surge
from rootcause.detect.errors import UNLIKELY
from rootcause.judge.suspect import Suspect
from rootcause.load.log_trouble import is_of_a_call
from rootcause.load.metric_names import FELT, USED, Tells

_SUPPORT = 0.25
"""What support weighs: four kinds of it are still nobody's doing."""
_GONE = 0.1
"""Whoever uses less than this part of what is usual has stopped."""
_LEFT = {Tells.MEMORY: 0.85, Tells.CPU: _GONE, Tells.THREADS: _GONE, Tells.SOCKETS: _GONE}
"""Memory is given back by whoever begins anew, however little it needs then; who writes nothing may have nothing to."""
_STOPPED = "stopped"
_ANEW = {_STOPPED, Tells.RESTARTS.value}
_HALF = 0.5
"""What is felt may be of whoever began anew, or of another one."""
_NO_SURER = 8.0
"""What is said in each request is no likelier than what is said in each bucket of time to be of whoever says it."""
_COMPLAINS = -10.0
"""Log of the chance from which a complaint is new: one in two hundred among a hundred kinds of lines."""
_ENOUGH = 1.3
"""Points of one kind of thing at nearly three times what it ever did, or of two that hardly went further: anything less
is too little to accuse somebody by, for much is compared."""
_SEVERAL = 2
"""Services that feel something at once say the same, however little each of them feels."""
_SOONER = 0.6
"""Whoever answers in less than this part of what is usual, while others do not, leaves something out."""
NOBODY_NAMED: Mapping[str, Set[str]] = {}
_AS_ASKED = 1.5
"""Whoever uses up no more than so many times what it is asked more does what it is asked."""


@dataclass(slots=True)
class _Against:
    """Points by kind: `felt` is passed on by callers, `used` is a service's own, `support` is neither."""

    felt: dict[str, float] = field(default_factory=dict)
    used: dict[str, float] = field(default_factory=dict)
    support: dict[str, float] = field(default_factory=dict)

    def points(self, shares: Mapping[str, float], *, passed_on: bool, restarted: bool) -> float:
        """What its callees explain is support as well; of the rest its `shares` by kind count, less where
        another one was `restarted`, of whom it may have felt that."""
        felt = sum(points * max(_SUPPORT, shares.get(kind, 1.0)) for kind, points in self.felt.items())
        felt *= _SUPPORT if passed_on else _HALF if restarted and not self.restarted else 1.0
        return felt + sum(self.used.values()) + _SUPPORT * sum(self.support.values())

    @property
    def raw(self) -> float:
        """Points, whoever is to blame for them."""
        return sum(self.felt.values()) + sum(self.used.values()) + _SUPPORT * sum(self.support.values())

    @property
    def restarted(self) -> bool:
        """Whether it is gone, or began anew."""
        return bool(self.used.keys() & _ANEW)

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
    *,
    felt: bool = False,
) -> list[Suspect]:
    """Suspects by service, each with a score below 1. `addressed`: whom complaints name. Nobody is suspected for
    little, unless it is known that users `felt` something."""
    against: dict[str, _Against] = defaultdict(_Against)
    for service, several in strays.items():
        for stray in several:
            _weigh(against[service], stray, _asked(several), asked_less=_asked_less(several))
    for service in full.keys() | surges.keys():
        against[service].used.setdefault("full", 1.0)
    told: dict[str, StepShift] = {}
    complaining = {service for service, shift in complaints.items() if shift.log_chance <= _COMPLAINS}
    own_words = any(not is_of_a_call(complaints[service].name) for service in complaining)
    for service in sorted(complaining):
        shift = complaints[service]
        points = 1.0 + log(min(_NO_SURER, shift.log_chance / UNLIKELY))
        points *= _SUPPORT if own_words and is_of_a_call(shift.name) else 1.0
        for name in (service, *_meant(service, addressed)):
            kinds = against[name].felt
            kinds["complaints"] = max(kinds.get("complaints", 0.0), points)
            told.setdefault(name, shift)
    if not felt and not _enough(against.values()) and not any(shift.sure for shift in complaints.values()):
        return []
    own = {service for service, found in against.items() if found.own}
    shares = shares_of_felt(strays)
    restarted = any(found.restarted for found in against.values())
    suspects = []
    for service in own:
        meant = service in complaining and _meant(service, addressed)
        passed_on = bool(meant or own & (graph.below(service) - {service}))
        points = against[service].points(shares.get(service, {}), passed_on=passed_on, restarted=restarted)
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


def _enough(against: Iterable[_Against]) -> bool:
    found = list(against)
    return sum(bool(one.felt) for one in found) >= _SEVERAL or any(one.raw >= _ENOUGH for one in found if one.own)


def _meant(service: str, addressed: Mapping[str, Set[str]]) -> Set[str]:
    """The one other that it complains of; who complains of several is what these have in common."""
    others = addressed.get(service, frozenset())
    return others if len(others) == 1 else frozenset()


def _weigh(found: _Against, stray: Stray, asked: float, *, asked_less: bool) -> None:
    """The clearest one of a kind counts."""
    if stray.tells in FELT:
        bad = stray.rises == (stray.tells is not Tells.SUCCESS)
        sooner = stray.tells is Tells.LATENCY and 0.0 < stray.grown < _SOONER and not asked_less
        kinds = found.felt if bad or sooner else found.support
    elif stray.tells in USED:
        left = not asked_less or stray.tells is Tells.MEMORY
        own = stray.grown > _AS_ASKED * asked if stray.rises else left and stray.grown < _LEFT.get(stray.tells, 0.0)
        kinds = found.used if own else found.support
    else:
        kinds = found.support
    kind = _STOPPED if kinds is found.used and not stray.rises else stray.tells.value
    kinds[kind] = max(kinds.get(kind, 0.0), 1.0 + log(stray.times / BEYOND))


def _asked(several: Sequence[Stray]) -> float:
    """How many times what is usual the service is asked."""
    return max((stray.grown for stray in several if stray.tells is Tells.TRAFFIC and stray.rises), default=1.0)


def _asked_less(several: Sequence[Stray]) -> bool:
    return any(stray.tells is Tells.TRAFFIC and not stray.rises for stray in several)


def unclear(strays: Mapping[str, Sequence[Stray]], found: Sequence[Suspect]) -> list[Suspect]:
    """Services that stray, too, but no further than chance may have it, the furthest first; they have no score."""
    suspected = {suspect.service for suspect in found}
    left = {service: several for service, several in strays.items() if service not in suspected and several}
    furthest = sorted(left, key=lambda service: (-max(one.times for one in left[service]), service))
    return [Suspect(service, strays=tuple(left[service])) for service in furthest]
