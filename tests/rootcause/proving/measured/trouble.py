"""What goes wrong in a generated system, in the kinds that fault injectors know, and what does though nothing is wrong.

In: a world and dice. Out: troubles, each with whoever is to blame for it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from tests.rootcause.proving.measured.world import World


@dataclass(frozen=True)
class Trouble:
    """`slower`: own time is so many times as long. `delay_ms` is added to each message that the service sends, which is
    `lost` this often and then sent again. `load` is asked of the front so many times as often. Of `uses`, so much more
    is used (a share of the limit, of what is usual, or counts)."""

    kind: str
    service: str = ""
    slower: float = 1.0
    delay_ms: float = 0.0
    lost: float = 0.0
    failing: float = 0.0
    swallowed: bool = False
    returns_early: bool = False
    killed_s: float = 0.0
    load: float = 1.0
    cpu: float = 0.0
    memory: float = 0.0
    disk: float = 0.0
    sockets: int = 0

    @property
    def quiet(self) -> bool:
        return not self.service


NOTHING = Trouble("nothing")


def faults(world: World, dice: random.Random) -> Iterator[Trouble]:
    """One of each kind."""
    names = sorted(world.services)
    inner = [name for name in names if name != world.front]
    own = [name for name in inner if world.services[name].logs >= 0]
    caller = [name for name in names if world.services[name].calls]
    yield Trouble("cpu", dice.choice(names), slower=dice.uniform(1.3, 4), cpu=1.0)
    yield Trouble("cpu, hardly felt", dice.choice(names), slower=1.03, cpu=dice.uniform(0.6, 1.0))
    yield Trouble("memory", dice.choice(names), slower=dice.uniform(1.0, 1.5), memory=dice.uniform(1, 3))
    yield Trouble("disk", dice.choice(names), slower=dice.uniform(1.1, 2), disk=dice.uniform(2e6, 4e7), cpu=0.2)
    yield Trouble("sockets", dice.choice(names), slower=dice.uniform(1.2, 2.5), sockets=dice.choice((100, 800)))
    yield Trouble("delay", dice.choice(inner), delay_ms=dice.choice((30.0, 100.0, 300.0)))
    yield Trouble("loss", dice.choice(inner), lost=dice.choice((0.05, 0.1, 0.3)))
    yield Trouble("slow code", dice.choice(own), slower=dice.uniform(2, 8))
    yield Trouble("exception", dice.choice(own), failing=dice.choice((0.2, 0.5, 1.0)))
    yield Trouble("swallowed", dice.choice(own), failing=dice.choice((0.5, 1.0)), swallowed=True)
    yield Trouble("early return", dice.choice(caller), returns_early=True)
    yield Trouble("killed", dice.choice(inner), killed_s=dice.choice((20.0, 45.0, 90.0)))


def quiet(dice: random.Random) -> Iterator[Trouble]:
    """Times in which nobody is to be blamed."""
    yield NOTHING
    yield Trouble("nothing again")
    yield Trouble("more is asked", load=dice.uniform(1.3, 2.0))
    yield Trouble("less is asked", load=dice.uniform(0.4, 0.8))
