"""A shop of another make: applications that trace themselves, no mesh, a cache and databases that send no spans.

In: a seed, what goes wrong, how it is instrumented. Out: plain OpenTelemetry spans, as a stranger's collector has them.
Services, clocks, names of spans and faults are others than the demo's on purpose.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from rootcause.load.spans import Kind, Span

CALLS = {
    "frontend": ("currencyservice", "productcatalogservice", "cartservice", "recommendationservice", "adservice"),
    "checkoutservice": ("cartservice", "productcatalogservice", "paymentservice", "emailservice"),
    "recommendationservice": ("productcatalogservice",),
    "cartservice": ("redis",),
    "productcatalogservice": ("postgresql",),
}
STORES = frozenset({"redis", "postgresql"})
OWN_MS = {"frontend": 4.0, "checkoutservice": 6.0, "cartservice": 2.0, "redis": 0.6, "postgresql": 3.0}
CHECKOUTS = 0.3
TIMEOUT_MS = 2000.0
_NS = 1_000_000


@dataclass(frozen=True)
class Trouble:
    """From `start` on. `slow` adds ms to the service's own time, `busy` multiplies it, `fail` fails that share of its
    requests, `swallow` skips its calls without failing, `repeat` makes each of its calls so many times, `dead` answers
    nobody: callers wait until their time is over, `refuse` nobody either: callers are told at once, `far` adds ms to
    the way there, `loss` delays that share of calls by a retransmission of 200 ms."""

    kind: str
    service: str
    value: float
    start: float


@dataclass(frozen=True)
class Instrumented:
    """How much spans say. `clients`: callers record their calls; `peers`: and whom they call; `errors`: what failed is
    marked; `kept`: the share of spans that arrive; `skew_s`: by how much the clocks of services differ."""

    clients: bool = True
    peers: bool = True
    errors: bool = True
    kept: float = 1.0
    skew_s: float = 0.0


@dataclass
class Strangers:
    """Simulated requests, `rate` a second."""

    seed: int
    rate: float = 4.0
    troubles: tuple[Trouble, ...] = ()
    how: Instrumented = field(default_factory=Instrumented)

    def run(self, start: float, seconds: float) -> list[Span]:
        """The spans of the requests that arrive in this time, in no order that means anything."""
        self._random = random.Random(self.seed)
        self._spans: list[Span] = []
        at = start + self._random.expovariate(self.rate)
        while at < start + seconds:
            trace = self._id(16)
            buys = self._random.random() < CHECKOUTS
            self._serve(trace, "", "frontend", "POST /cart/checkout" if buys else "GET /product", at, buys=buys)
            at += self._random.expovariate(self.rate)
        kept = [span for span in self._spans if self._random.random() < self.how.kept]
        self._random.shuffle(kept)
        return kept

    def _serve(
        self, trace: str, parent: str, service: str, name: str, at: float, *, buys: bool = False
    ) -> tuple[float, bool]:
        """When it ended (seconds), and whether it failed."""
        me = self._id(8)
        own_s = self._own_s(service, at)
        now = at + own_s / 2
        failed = self._random.random() < self._value("fail", service, at)
        called = () if failed or self._value("swallow", service, at) else self._calls(service, buys=buys)
        for callee in called:
            for _ in range(max(1, round(self._value("repeat", service, at)))):
                now, bad = self._call(trace, me, service, callee, now)
                failed = failed or bad
            if failed:
                break
        now += own_s / 2
        if service not in STORES:
            self._record(trace, me, parent, service, name, Kind.SERVER, at, now, failed=failed)
        return now, failed

    def _calls(self, service: str, *, buys: bool) -> tuple[str, ...]:
        return ("cartservice", "checkoutservice") if buys and service == "frontend" else CALLS.get(service, ())

    def _call(self, trace: str, parent: str, service: str, callee: str, at: float) -> tuple[float, bool]:
        me = self._id(8)
        there = self._random.lognormvariate(-0.7, 0.4) / 1000 + self._value("far", callee, at) / 1000
        if self._random.random() < self._value("loss", callee, at):
            there += 0.2
        name = f"hipstershop.{callee.removesuffix('service').title()}/Get" if callee not in STORES else f"{callee} GET"
        above = me if self.how.clients else parent
        if self._value("dead", callee, at):
            end, failed = at + TIMEOUT_MS / 1000, True
        elif self._value("refuse", callee, at):
            end, failed = at + 0.002, True
        else:
            end, failed = self._serve(trace, above, callee, name, at + there)
            end += there / 4
        if self.how.clients:
            peer = f"{callee}:7070" if self.how.peers or callee in STORES else ""
            self._record(trace, me, parent, service, name, Kind.CLIENT, at, end, failed=failed, peer=peer)
        return end, failed

    def _own_s(self, service: str, at: float) -> float:
        own = OWN_MS.get(service, 5.0) * self._random.lognormvariate(0, 0.35)
        if self._random.random() < 0.004:
            own += self._random.uniform(10, 60)
        own *= max(1.0, self._value("busy", service, at) * self._random.uniform(0.5, 1.5))
        return (own + self._value("slow", service, at) * self._random.uniform(0.7, 1.3)) / 1000

    def _value(self, kind: str, service: str, at: float) -> float:
        hits = (t.value for t in self.troubles if t.kind == kind and t.service in ("", service) and at >= t.start)
        return max(hits, default=0.0)

    def _record(
        self,
        trace: str,
        id: str,
        parent: str,
        service: str,
        name: str,
        kind: Kind,
        start: float,
        end: float,
        *,
        failed: bool,
        peer: str = "",
    ) -> None:
        skew_s = self.how.skew_s * (hash_of(service) % 5 - 2)
        begin, took = round((start + skew_s) * 1e9), round((end - start) * 1e9)
        marked = failed and self.how.errors
        self._spans.append(
            Span(trace, id, parent, service, "", f"{service}-7d9f", name, kind, begin, took, marked, peer)
        )

    def _id(self, size: int) -> str:
        return self._random.randbytes(size).hex()


def hash_of(name: str) -> int:
    """The same in every run."""
    return sum(ord(letter) * place for place, letter in enumerate(name, 1))


def services() -> Iterator[str]:
    """All that can be called, those without spans too."""
    yield from sorted({callee for callees in CALLS.values() for callee in callees} | {"frontend", "checkoutservice"})
