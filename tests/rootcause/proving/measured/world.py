"""Generates a system of which only metrics and logs will be known: services, their calls, habits of their meters.

In: a seed. Out: the same World each time: 6 to 16 services, each called by one or two above it, the front one by users
who think for a while, wait for the answer and ask again.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from tests.rootcause.proving.build import STORES, WORDS


@dataclass(frozen=True)
class Service:
    """`calls` are callees and the share of requests that call them. `own_ms` is the median, `tail` the deviation of its
    logarithm. `cpu` is of one processor when idle, `limit` the most; memory grows by `garbage` of itself and is then
    collected, every `collected_s`. `swallows` failures of its callees. `logs` says what it writes: 0 nothing but
    errors, -1 nothing at all. A job of its own begins every `job_s`."""

    name: str
    calls: tuple[tuple[str, float], ...]
    own_ms: float
    tail: float
    cpu: float
    cpu_ms: float
    limit: float
    memory: float
    garbage: float
    collected_s: float
    sockets: int
    disk: float
    fails: float
    swallows: bool
    logs: int
    job_s: float


@dataclass(frozen=True)
class World:
    """`services` by name, `front` first."""

    seed: int
    services: dict[str, Service]
    front: str
    users: int
    think_s: float
    reports_caller: bool
    """Latency is what callers measure, who feel the network as well."""
    window_s: int
    """Rates and quantiles of tables are over this time."""
    scraped_s: int
    """Values of tables stay the same for so long."""

    def below(self, name: str) -> set[str]:
        """Whom its requests reach, itself among them."""
        found = {name}
        for callee, _ in self.services[name].calls:
            found |= self.below(callee)
        return found


def world(seed: int) -> World:
    """Rolls all of it."""
    dice = random.Random(f"measured {seed}")
    names = dice.sample(WORDS, dice.randint(5, 12))
    stores = dice.sample(STORES, dice.randint(1, 3))
    suffix = dice.choice(("", "-service", "service"))
    names = [name + suffix for name in names]
    calls: dict[str, list[tuple[str, float]]] = {name: [] for name in (*names, *stores)}
    for at, name in enumerate(names[1:], 1):
        for caller in dice.sample(names[:at], min(at, dice.choice((1, 1, 1, 2)))):
            calls[caller].append((name, dice.choice((1.0, 1.0, 0.7, 0.3))))
    for store in stores:
        for caller in dice.sample(names[1:], min(len(names) - 1, dice.randint(1, 3))):
            calls[caller].append((store, 1.0))
    services = {name: _service(name, tuple(calls[name]), dice, store=name in stores) for name in calls}
    return World(
        seed,
        services,
        names[0],
        dice.choice((10, 20, 40)),
        dice.uniform(1.0, 3.0),
        dice.random() < 0.75,
        dice.choice((1, 15, 60)),
        dice.choice((1, 5, 15)),
    )


def _service(name: str, calls: tuple[tuple[str, float], ...], dice: random.Random, *, store: bool) -> Service:
    return Service(
        name,
        calls,
        own_ms=10 ** dice.uniform(0, 1.5),
        tail=dice.choice((0.2, 0.4, 0.8)),
        cpu=dice.uniform(0.005, 0.05),
        cpu_ms=10 ** dice.uniform(0, 1),
        limit=dice.choice((0.3, 0.5, 1.0, 2.0)),
        memory=dice.uniform(5e7, 8e8),
        garbage=dice.choice((0.0, 0.02, 0.1, 0.4)),
        collected_s=dice.uniform(60, 600),
        sockets=dice.randint(5, 60),
        disk=dice.choice((0.0, 1e3, 1e5)),
        fails=dice.choice((0.0, 0.0, 0.001, 0.01)),
        swallows=dice.random() < 0.15,
        logs=-1 if store else dice.choice((0, 1, 2, 3)),
        job_s=dice.choice((0.0, 0.0, 200.0, 500.0)),
    )
