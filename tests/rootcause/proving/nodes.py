"""How a recorder of node series names the parts of a generated system, and what it measures of each request.

In: a system, its traffic. Out: nodes, a static call graph, and what requests took at each node. A service is one node
or several (a function and what invokes it, a gateway before it), a database one for all of its callers or for each.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from rootcause.load.spans import Kind, Span
from tests.rootcause.proving.system import System
from tests.rootcause.proving.traffic import Traffic

OVERHEAD_MS = 2.0
"""What a gateway or an invocation adds."""


@dataclass(frozen=True)
class Measure:
    """One request of one node, whoever it came from (empty: nobody knows)."""

    at: float
    node: str
    source: str
    ms: float
    failed: bool
    whole: bool = True
    """Whether the node itself, or whoever knows of its requests, tells of it, or its caller only."""


class Nodes:
    """The names of one system's parts. `inferred`: of a call that nobody took its caller tells."""

    def __init__(self, system: System) -> None:
        dice = random.Random(f"nodes {system.seed}")
        self._system = system
        self._dice = dice
        self._inferred = dice.random() < 0.5
        self._shared = {leaf: dice.random() < 0.7 for leaf in system.leaves}
        self._queue_known = dice.random() < 0.5
        self.chains = {name: _chain(name, dice) for name in system.services}
        """By service, who is called first at the front."""

    def of_leaf(self, leaf: str, caller: str) -> str:
        """As the caller's library names it."""
        return f"{leaf}_Database" if self._shared[leaf] else f"{caller}@{leaf}_Database"

    def names(self, part: str) -> list[str]:
        """Every node of a service or leaf, whoever is to blame for it first; gateways are parts of their own."""
        if part in self.chains:
            own = [node for node in reversed(self.chains[part]) if not node.endswith("Gateway")]
            return [*own, part]
        callers = sorted({source for source, call in self._system.links() if call.to == part})
        return sorted({self.of_leaf(part, caller) for caller in callers})

    def graph(self) -> set[tuple[str, str]]:
        """Who may call whom."""
        found = {(one, other) for chain in self.chains.values() for one, other in pairwise(chain)}
        for source, call in self._system.links():
            caller = self.chains[source][-1]
            if call.to in self._system.leaves:
                found.add((caller, self.of_leaf(call.to, source)))
            elif call.queued:
                found.add((caller, _queue(call.to)))
                if self._queue_known:
                    found.add((_queue(call.to), self.chains[call.to][0]))
            else:
                found.add((caller, self.chains[call.to][0]))
        return found

    def measures(self, traffic: Traffic) -> list[Measure]:
        """Everything that was measured."""
        by_id = {span.id: span for span in traffic.spans}
        taken = {span.parent for span in traffic.spans if span.kind is Kind.SERVER}
        found: list[Measure] = []
        for span in traffic.spans:
            if span.kind is Kind.SERVER:
                found += self._served(span, by_id)
            else:
                found += self._called(span, traffic.callees[span.id], taken)
        return found

    def _served(self, span: Span, by_id: Mapping[str, Span]) -> Iterator[Measure]:
        caller = by_id.get(span.parent)
        source = ""
        if caller is not None:
            source = _queue(span.service) if caller.peer == "kafka" else self.chains[caller.service][-1]
        took, chain = span.duration_ns / 1e6, self.chains[span.service]
        for place in range(len(chain) - 1, -1, -1):
            yield _measure(span, chain[place], chain[place - 1] if place else source, took)
            took += OVERHEAD_MS * self._dice.lognormvariate(0, 0.3)

    def _called(self, span: Span, callee: str, taken: set[str]) -> Iterator[Measure]:
        took, caller = span.duration_ns / 1e6, self.chains[span.service][-1]
        if callee in self._system.leaves:
            yield _measure(span, self.of_leaf(callee, span.service), caller, took)
        elif span.peer == "kafka":
            yield _measure(span, _queue(callee), caller, took)
        elif span.id not in taken:
            yield from self._unanswered(span, self.chains[callee], caller, took)

    def _unanswered(self, span: Span, chain: tuple[str, ...], caller: str, took: float) -> Iterator[Measure]:
        """A gateway takes a call for whoever is gone."""
        if len(chain) > 1 and chain[0].endswith("Gateway"):
            yield _measure(span, chain[0], caller, took)
            caller, chain = chain[0], chain[1:]
        yield replace(_measure(span, chain[0], caller, took), whole=self._inferred)


def _chain(name: str, dice: random.Random) -> tuple[str, ...]:
    form = dice.random()
    if form < 0.5:
        chain: tuple[str, ...] = (name,) if form < 0.3 else (f"{name}_ECS::Fargate",)
    elif form < 0.8:
        chain = (f"{name}_Lambda", f"{name}_Lambda::Function")
    else:
        chain = (f"{name}_Container",)
    return (f"{name}/prod_ApiGateway", *chain) if dice.random() < 0.15 else chain


def _queue(taker: str) -> str:
    return f"queue-{taker}_Queue"


def _measure(span: Span, node: str, source: str, ms: float) -> Measure:
    return Measure(span.start_ns / 1e9, node, source, ms, span.failed)
