"""Lets a generated system live for a while, request by request.

In: a world, what is wrong, from when to when. Out: what each service was asked, answered and waited for, by the second,
and the lines that it wrote.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from math import exp, sqrt

from tests.rootcause.proving.measured.trouble import Trouble
from tests.rootcause.proving.measured.world import Service, World

GIVES_UP_MS = 5_000.0
AGAIN_MS = 200.0
"""A lost packet is sent again after this, twice as long the next time."""


class Sway:
    """A factor around one that remembers: an autoregressive walk of its logarithm, by the second, with bursts now and
    then where it is said how often."""

    def __init__(self, dice: random.Random, deviation: float, memory_s: float, burst_s: float = 0.0) -> None:
        self._dice, self._deviation, self._keeps = dice, deviation, exp(-1 / memory_s)
        self._burst_s, self._left, self._times = burst_s, 0.0, 1.0
        self._at = dice.gauss(0, deviation)

    def next(self) -> float:
        """Of the next second."""
        new = self._dice.gauss(0, self._deviation * sqrt(1 - self._keeps**2))
        self._at = self._keeps * self._at + new
        if self._burst_s and self._left <= 0 and self._dice.random() < 1 / self._burst_s:
            self._left, self._times = self._dice.uniform(1, 20), self._dice.uniform(1.5, 5)
        self._left -= 1
        return exp(self._at) * (self._times if self._left > 0 else 1.0)


@dataclass
class Second:
    """What one service did in one second: times in ms, of what it was asked and of its calls."""

    took: list[float] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    failed: int = 0
    own_ms: float = 0.0


@dataclass(frozen=True)
class Line:
    """One line of a log; `span` is a number of the request at the service."""

    time: float
    service: str
    severity: str
    body: str
    span: int


@dataclass
class Lived:
    """`seconds` by service, from `start` on."""

    start: float
    seconds: dict[str, list[Second]]
    lines: list[Line] = field(default_factory=list)


class _Life:
    def __init__(self, world: World, trouble: Trouble, start: float, seconds: int, seed: str) -> None:
        self.world, self.trouble = world, trouble
        self.dice = random.Random(f"{world.seed} {seed}")
        self.lived = Lived(start, {name: [Second() for _ in range(seconds)] for name in world.services})
        self.sways = {
            name: Sway(self.dice, self.dice.choice((0.03, 0.1)), 60, self.dice.choice((0, 0, 300)))
            for name in world.services
        }
        self.sway: dict[str, float] = {}
        self.second = 0
        self.spans = 0

    def live(self) -> Lived:
        load = Sway(self.dice, 0.15, 120)
        mean_s = 0.05
        for second in range(len(self.lived.seconds[self.world.front])):
            self.second = second
            self.sway = {name: sway.next() for name, sway in self.sways.items()}
            rate = self.world.users / (self.world.think_s + mean_s) * load.next() * self.trouble.load
            many = self._poisson(rate)
            took = [self._ask(self.world.front)[0] for _ in range(many)]
            mean_s = (mean_s + sum(took) / len(took) / 1000) / 2 if took else mean_s
            self._chatter()
        return self.lived

    def _poisson(self, rate: float) -> int:
        return max(0, round(self.dice.gauss(rate, sqrt(rate)))) if rate > 20 else self._counted(rate)

    def _counted(self, rate: float) -> int:
        many, left = 0, exp(-rate)
        product = self.dice.random()
        while product > left:
            many += 1
            product *= self.dice.random()
        return many

    def _ask(self, name: str) -> tuple[float, bool]:
        """How long the answer takes to come to whoever asks, in ms, and whether it is a failure."""
        service, wrong = self.world.services[name], self.trouble if self.trouble.service == name else None
        if wrong is not None and self.second < wrong.killed_s:
            return 1.0, True
        self.spans += 1
        span = self.spans
        second = self.lived.seconds[name][self.second]
        own = service.own_ms * self.dice.lognormvariate(0, service.tail) * self.sway[name]
        own *= wrong.slower if wrong is not None else 1.0
        total, failed = own, self.dice.random() < service.fails
        raised = wrong is not None and wrong.failing > 0 and self.dice.random() < wrong.failing
        early = raised or (wrong is not None and wrong.returns_early)
        self._say(service, span, 1, "INFO", f"received request {span} for user {self.dice.randrange(10**6)}")
        for callee, share in () if early else service.calls:
            if self.dice.random() < share:
                ms, bad = self._call(service, callee, span)
                total += ms
                failed |= bad and not service.swallows
        failed |= raised and wrong is not None and not wrong.swallowed
        self._answer(service, span, failed=failed, raised=raised, early=early)
        sent = self._sent(name)
        second.took.append(total + sent if self.world.reports_caller else total)
        second.own_ms += own
        second.failed += failed
        return total + sent, failed

    def _call(self, service: Service, callee: str, span: int) -> tuple[float, bool]:
        out = self._sent(service.name)
        ms, bad = self._ask(callee)
        late = ms + out > GIVES_UP_MS
        self.lived.seconds[service.name][self.second].waited.append(min(ms + out, GIVES_UP_MS))
        if late or bad:
            why = "deadline exceeded" if late else "status 500"
            named = f"http://{callee}:8080/" if service.logs == 3 else f"the call of {callee.partition('-')[0]}"
            self._say(service, span, 0, "ERROR" if service.logs % 2 else "WARN", f"no good answer from {named}: {why}")
        return min(ms + out, GIVES_UP_MS), late or bad

    def _sent(self, name: str) -> float:
        """What a message of the service takes on the network beyond what is usual."""
        wrong = self.trouble
        if wrong.service != name or not (wrong.delay_ms or wrong.lost):
            return 0.0
        waits, again = 0.0, AGAIN_MS
        while self.dice.random() < wrong.lost and waits < GIVES_UP_MS:
            waits, again = waits + again, again * 2
        return waits + (wrong.delay_ms * self.dice.uniform(0.9, 1.1) if wrong.delay_ms else 0.0)

    def _answer(self, service: Service, span: int, *, failed: bool, raised: bool, early: bool) -> None:
        if raised:
            number = self.dice.randrange(99)
            body = f"java.lang.IllegalStateException: entry {number} is missing\n\tat acme.Store.get(Store.java:71)"
            self._say(service, span, 0, "ERROR", body)
        elif failed:
            self._say(service, span, 0, "ERROR", f"request {span} ended with status 500")
        elif not early:
            self._say(service, span, 2, "INFO", f"found {self.dice.randrange(20)} entries for {span}")

    def _say(self, service: Service, span: int, level: int, severity: str, body: str) -> None:
        if service.logs >= level and service.logs >= 0:
            at = self.lived.start + self.second + self.dice.random()
            self.lived.lines.append(Line(at, service.name, severity, body, span))

    def _chatter(self) -> None:
        """What services say outside of requests."""
        for service in self.world.services.values():
            if self.dice.random() < 0.002:
                number = self.dice.randrange(99)
                self._say(service, 0, 0, "WARN", f"connection {number} was closed by peer, reconnecting")


def live(world: World, trouble: Trouble, start: float, seconds: int, seed: str) -> Lived:
    """What happened in so many seconds from `start` on, with the trouble in all of them."""
    return _Life(world, trouble, start, seconds, seed).live()
