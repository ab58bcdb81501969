"""What normal traffic of a system looks like: which parts are met how often, and what requests take.

In: spans of normal time. Out: figures by which faults are given a size that a person would notice.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from rootcause.load.spans import Kind, Span
from tests.rootcause.proving.system import System

Link = tuple[str, str]


class Profile:
    """Shares are of requests from outside; those of `waited` parts are felt by whoever asked."""

    def __init__(self, system: System, spans: Iterable[Span]) -> None:
        spans = list(spans)
        queued = {call.to for _, call in system.links() if call.queued}
        synchronous = {call.to for _, call in system.links() if not call.queued}
        roots = [span for span in spans if not span.parent and span.service not in queued - synchronous]
        self.requests = max(1, len(roots))
        self.mean_ms = sum(span.duration_ns for span in roots) / 1e6 / self.requests
        self.calls: Counter[Link] = Counter()
        self.served: Counter[str] = Counter()
        self.waited_ms: dict[Link, float] = defaultdict(float)
        """By each link, in all."""
        met: dict[str, set[str]] = defaultdict(set)
        used: dict[Link, set[str]] = defaultdict(set)
        by_id = {span.id: span for span in spans}
        for span in spans:
            if span.kind is Kind.SERVER:
                met[span.service].add(span.trace)
                self.served[span.service] += 1
                caller = by_id.get(span.parent)
                if caller is not None:
                    used[caller.service, span.service].add(span.trace)
                    self.calls[caller.service, span.service] += 1
                    self.waited_ms[caller.service, span.service] += span.duration_ns / 1e6
            elif span.peer in system.leaves:
                met[span.peer].add(span.trace)
                used[span.service, span.peer].add(span.trace)
                self.calls[span.service, span.peer] += 1
                self.waited_ms[span.service, span.peer] += span.duration_ns / 1e6
        self.share = {name: len(traces) / self.requests for name, traces in met.items()}
        self.links = {link: len(traces) / self.requests for link, traces in used.items()}
        self.aside = _aside(system)


def _aside(system: System) -> frozenset[str]:
    """Services that nobody waits for."""
    waited = {entry.service for entry in system.entries}
    queue = list(waited)
    while queue:
        service = system.services.get(queue.pop())
        for route in service.routes.values() if service is not None else ():
            for call in route.calls():
                if not call.queued and call.to not in waited:
                    waited.add(call.to)
                    queue.append(call.to)
    return frozenset(system.services) - waited
