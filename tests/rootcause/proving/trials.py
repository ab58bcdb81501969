"""What is tried on a system, and the dice that choose the parts and sizes of it.

In: a system and its profile. Out: trials. A fault makes users wait 15 to 200 % longer in all, or fails at least 2 % of
their requests; smaller ones nobody would look for.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tests.rootcause.proving.faults import Effect
from tests.rootcause.proving.profile import Profile
from tests.rootcause.proving.system import Call, Service, System

NOTED = 0.02
MET = 0.1
"""A part that fewer requests meet is not drawn."""


@dataclass(frozen=True)
class Gauge:
    """A resource of a service's instances that is in use by `share` at the end."""

    service: str
    resource: str
    share: float


@dataclass(frozen=True)
class Trial:
    """`culprits`: groups, one of each of which is to be blamed; none of a healthy one."""

    kind: str
    effects: tuple[Effect, ...]
    culprits: tuple[frozenset[str], ...] = ()
    gauges: tuple[Gauge, ...] = ()
    changed: frozenset[str] = field(default_factory=frozenset)

    @property
    def healthy(self) -> bool:
        return not self.culprits

    def __str__(self) -> str:
        told = ", ".join(_told(effect) for effect in self.effects)
        return f"{self.kind}: {told}"


def _told(effect: Effect) -> str:
    where = " ".join(filter(None, (effect.source, effect.service, effect.version, effect.instance, effect.route)))
    return f"{effect.kind} {where} {effect.value:.3g}"


@dataclass(frozen=True)
class Draw:
    """Everything a kind of trial needs to pick its parts."""

    system: System
    profile: Profile
    dice: random.Random

    def service(self, fits: Callable[[Service], bool] = lambda _: True) -> Service | None:
        """One that requests wait for and meet often enough."""
        known = [
            one
            for name, one in sorted(self.system.services.items())
            if self.profile.share.get(name, 0) >= MET and name not in self.profile.aside and fits(one)
        ]
        return self.dice.choice(known) if known else None

    def link(self, fits: Callable[[str, Call], bool] = lambda source, call: True) -> tuple[str, Call] | None:
        """One that requests wait for and meet often enough."""
        known = [
            (source, call)
            for source, call in self.system.links()
            if self.profile.links.get((source, call.to), 0) >= MET
            and not call.queued
            and source not in self.profile.aside
            and fits(source, call)
        ]
        return self.dice.choice(known) if known else None

    def leaf(self) -> str | None:
        known = sorted(name for name in self.system.leaves if self.profile.share.get(name, 0) >= MET)
        return self.dice.choice(known) if known else None

    def added_ms(self, calls: float, part: float = 1.0) -> float:
        """So many ms for each of these calls, or for a part of them, that requests take 15 to 200 % longer in all."""
        wanted = self.profile.mean_ms * 0.15 * (2.0 / 0.15) ** self.dice.random()
        return min(5_000.0, max(10.0, wanted * self.profile.requests / max(1.0, calls * part)))

    def failing(self, share: float, part: float = 1.0) -> float:
        """A share of failures, 5 to 100 %, that at least 2 % of all requests feel."""
        least = max(0.05, NOTED / (share * part))
        return min(1.0, least * (1 / least) ** self.dice.random()) if least < 1 else 1.0


Kind = Callable[[Draw], Trial | None]


def trials(draw: Draw, kinds: Iterable[Kind]) -> list[Trial]:
    """One of each kind that the system has a part for."""
    return [found for kind in kinds if (found := kind(draw)) is not None]
