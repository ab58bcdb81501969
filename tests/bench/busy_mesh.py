"""Roll-ups as a mesh of some size would have made them, without its spans.

In: the size of the mesh, spans a second, a stretch of time. Out: INSERTs into mesh_edges and mesh_routes. A row has a
sketch of twenty durations at most: sketches of more take no longer to merge, and are not what is measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

STEP_S = 10
_BUCKETS_AT_ONCE = 8
# Each service calls the next ones; the first is called from outside. Each pair of instances, each route and both ends
# are a row of their own; where spans are fewer than rows, other rows are missing in each bucket.
_EDGES = """
INSERT INTO otel.mesh_edges
WITH
    {begin} + {step} * ({first} + intDiv(number, {rows})) AS at, number % {rows} AS row,
    intDiv(row, {instances} * {instances} * {routes} * 2) AS edge, row % 2 AS by_source,
    intDiv(row, 2) % {routes} AS route, intDiv(row, 2 * {routes}) % {instances} AS caller,
    intDiv(row, 2 * {routes} * {instances}) % {instances} AS callee,
    intDiv(edge, {calls}) AS source, (source + 1 + edge % {calls} * 3) % {services} AS destination,
    toUInt64(greatest(1, round({spans} / {rows}))) AS calls,
    arrayMap(one -> toUInt64(exp(13 + cityHash64(number, one) % 1000 / 400)), range(least(calls, 20))) AS took
SELECT
    toDateTime(at), if(by_source = 1, 'source', 'destination'), concat('service-', toString(source)), 'v1',
    concat('service-', toString(source), '-', toString(caller)), concat('service-', toString(destination)), 'v1',
    concat('service-', toString(destination), '-', toString(callee)), concat('/api/', toString(route)),
    calls, cityHash64(number) % 2000 = 0, 0, arraySum(took) * calls / length(took), 0,
    arrayReduce('quantilesDDState(0.01, 0.5, 0.9, 0.95, 0.99)', took), map(),
    arrayReduce('argMaxState', [lower(hex(cityHash64(number)))], [took[1]]), ''
FROM numbers({buckets} * {rows})
WHERE cityHash64(number, 'seen') % {rows} < {spans}
"""
_ROUTES = """
INSERT INTO otel.mesh_routes
WITH
    {begin} + {step} * ({first} + intDiv(number, {rows})) AS at, number % {rows} AS row,
    row % {routes} AS route, intDiv(row, {routes}) % {instances} AS instance,
    intDiv(row, {routes} * {instances}) AS service,
    toUInt64(greatest(1, round({spans} / 2 / {rows}))) AS calls,
    arrayMap(one -> toUInt64(exp(13 + cityHash64(number, one) % 1000 / 400)), range(least(calls, 20))) AS took,
    arraySum(took) * calls / length(took) AS whole
SELECT
    toDateTime(at), concat('service-', toString(service)), 'v1',
    concat('service-', toString(service), '-', toString(instance)), concat('/api/', toString(route)), 'GET',
    service = 0, calls, cityHash64(number) % 2000 = 0, 0, calls, whole, whole / 2, calls,
    arrayReduce('quantilesDDState(0.01, 0.5, 0.9, 0.95, 0.99)', took),
    arrayReduce('quantilesDDState(0.01, 0.5, 0.9, 0.95, 0.99)', took), map(),
    arrayReduce('argMaxState', [lower(hex(cityHash64(number)))], [took[1]]), ''
FROM numbers({buckets} * {rows})
WHERE cityHash64(number, 'seen') % {rows} < {spans} / 2
"""


@dataclass(frozen=True)
class BusyMesh:
    """So many services, each with so many instances and routes, each calling `calls` others."""

    spans_a_second: int
    services: int
    instances: int
    routes: int
    calls: int = 2

    @property
    def edge_rows(self) -> int:
        """Rows of mesh_edges that a bucket can have."""
        return self.services * self.calls * self.instances**2 * self.routes * 2

    def inserts(self, begin: int, seconds: int) -> Iterator[str]:
        """From `begin` (Unix seconds, on a bucket) on."""
        whole = seconds // STEP_S
        for first in range(0, whole, _BUCKETS_AT_ONCE):
            common = {
                "begin": begin,
                "step": STEP_S,
                "first": first,
                "buckets": min(_BUCKETS_AT_ONCE, whole - first),
                "spans": self.spans_a_second * STEP_S,
                "services": self.services,
                "instances": self.instances,
                "routes": self.routes,
                "calls": self.calls,
            }
            yield _EDGES.format(rows=self.edge_rows, **common)
            yield _ROUTES.format(rows=self.services * self.instances * self.routes, **common)
