"""Holds what proxies counted against what was stored, so that a share of the traffic is never taken for all of it.

In: `otel.mesh_captured`. Out: for each edge, the share of its requests that have a span; in all, both figures. Never:
the last minute, in which counts or spans may still be on their way.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from prometheus_client import CollectorRegistry, Gauge

from collector.store.errors import StoreError

log = logging.getLogger("whymesh.collector")

EVERY_S = 5.0
MOST_EDGES = 200
_SQL = f"""
SELECT Source AS source, Destination AS destination, sum(Counted) AS counted, sum(Captured) AS captured
FROM otel.mesh_captured
WHERE Bucket >= now() - INTERVAL 11 MINUTE AND Bucket < now() - INTERVAL 1 MINUTE
GROUP BY source, destination
HAVING counted > 0
ORDER BY counted DESC
LIMIT {MOST_EDGES}
"""

Ask = Callable[[str], Awaitable[list[dict[str, Any]]]]


class Captured:
    """The figures of ten minutes; edges beyond the bound are left out of them, the quietest first."""

    def __init__(self, registry: CollectorRegistry) -> None:
        edge = ("source", "destination")
        self._ratio = Gauge(
            "whymesh_collector_captured_ratio", "Requests with a span, of those counted.", edge, registry=registry
        )
        self._counted = Gauge(
            "whymesh_collector_counted_requests", "Counted by proxies in ten minutes.", registry=registry
        )
        self._captured = Gauge(
            "whymesh_collector_captured_requests", "Of them, those that have a span.", registry=registry
        )

    async def watch(self, ask: Ask) -> None:
        """Until cancelled."""
        while True:
            try:
                self.show(await ask(_SQL))
            except StoreError as error:
                log.warning("what was captured cannot be told: %s", error)
            await asyncio.sleep(EVERY_S)

    def show(self, edges: list[dict[str, Any]]) -> None:
        """A request may be counted in one interval and stored in the one before: a share is one at most."""
        self._ratio.clear()
        for edge in edges:
            self._ratio.labels(edge["source"], edge["destination"]).set(min(1.0, edge["captured"] / edge["counted"]))
        self._counted.set(sum(edge["counted"] for edge in edges))
        self._captured.set(sum(min(edge["captured"], edge["counted"]) for edge in edges))
