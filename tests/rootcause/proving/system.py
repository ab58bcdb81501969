"""What a generated system is made of: services with instances and routes, calls between them, leaves without spans.

In: nothing; these are plain values. Times are milliseconds, shares 0..1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

Family = Literal["steady", "heavy-tailed", "bimodal"]


@dataclass(frozen=True)
class Call:
    """`share` of requests make it, `times` in a row; with `cached`, only those for which nothing is found there.
    `swallowed`: its failure is nobody's. `queued`: a message, that nobody waits for."""

    to: str
    route: str = ""
    share: float = 1.0
    times: int = 1
    cached: float = 0.0
    swallowed: bool = False
    retries: int = 0
    timeout_ms: float = 10_000.0
    breaker: bool = False
    queued: bool = False
    linked: bool = False
    """Whether whoever takes the message begins a trace of its own."""


@dataclass(frozen=True)
class Route:
    """Requests of one name. Each takes one of the `ways`: stages one after the other, the calls of a stage at once."""

    name: str
    own_ms: float
    ways: tuple[tuple[tuple[Call, ...], ...], ...] = ((),)

    def calls(self) -> Iterator[Call]:
        """Whatever it may call."""
        yield from (call for way in self.ways for stage in way for call in stage)


@dataclass(frozen=True)
class Instance:
    """One that serves requests."""

    name: str
    version: str


@dataclass(frozen=True)
class Service:
    """`busy`: the share of its capacity that is usually in use; `errors`: the share of requests that always fail."""

    name: str
    routes: dict[str, Route]
    instances: tuple[Instance, ...]
    family: Family = "steady"
    errors: float = 0.0
    busy: float = 0.2


@dataclass(frozen=True)
class Leaf:
    """A database or a third party: no spans of its own."""

    name: str
    ms: float
    family: Family = "steady"


@dataclass(frozen=True)
class Entry:
    """A route that requests from outside take, or a job of its own."""

    service: str
    route: str
    weight: float


@dataclass(frozen=True)
class Style:
    """What client spans say: their name (`method` alone, or the `route` too), and whom they call."""

    named: Literal["method", "route"]
    peer: Literal["", "name", "address"]


@dataclass(frozen=True)
class System:
    """All of it; `rate` requests a second come in, `swing` (a share) more or less in the course of a day, and leave no
    more than so many spans."""

    seed: int
    services: dict[str, Service]
    leaves: dict[str, Leaf]
    entries: tuple[Entry, ...]
    style: Style
    rate: float
    swing: float
    spans_a_second: float
    later: dict[str, Entry] = field(default_factory=dict)
    """What begins one day, by what it is."""

    def links(self) -> Iterator[tuple[str, Call]]:
        """Every call that may be made, and by whom."""
        for service in self.services.values():
            for route in service.routes.values():
                yield from ((service.name, call) for call in route.calls())
