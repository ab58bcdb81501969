"""Reads on which machine and in which zone each instance runs, from what its proxy counts.

In: an open Reader, the window in question. Out: the window with its nodes and zones, as far as they are known. What was
read of an instance is kept, for it runs where it runs.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime

from collector.store.client import Reader
from collector.store.errors import QueryFailed
from rootcause.load.first_told import INSTANCE, NODE
from rootcause.load.traits import ZONE_KEY
from rootcause.load.window import Window

log = logging.getLogger(__name__)

SINCE_S = 120.0
"""Counters come every ten seconds while there are requests."""
_PLACED = f"""
SELECT ServiceName, {INSTANCE} AS Instance, {NODE} AS Node, ResourceAttributes['{ZONE_KEY}'] AS Zone
FROM otel.otel_metrics_sum
WHERE MetricName = 'mesh.requests' AND ServiceName IN %(services)s AND TimeUnix >= %(start)s AND TimeUnix < %(end)s
GROUP BY ServiceName, Instance, Node, Zone ORDER BY max(TimeUnix)
"""


class Placed:
    """What is known of instances so far: node and zone by service and instance."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._known: dict[tuple[str, str], tuple[str, str]] = {}

    def look(self, observed: Window, now: float) -> Window:
        """Of the instances that served. Raises StoreUnavailable."""
        seen = {(row.service, row.instance) for row in observed.served if row.instance}
        self._known = {instance: places for instance, places in self._known.items() if instance in seen}
        unknown = sorted({service for service, _ in seen - self._known.keys()})
        if unknown:
            self._read(unknown, now)
        known = {instance: self._known[instance] for instance in seen & self._known.keys()}
        nodes = {instance: node for instance, (node, _) in known.items() if node}
        zones = {instance: zone for instance, (_, zone) in known.items() if zone}
        return replace(observed, nodes=nodes, zones=zones)

    def _read(self, services: list[str], now: float) -> None:
        start, end = (datetime.fromtimestamp(at, UTC) for at in (now - SINCE_S, now))
        try:
            rows = self._reader.table(_PLACED, {"services": services, "start": start, "end": end}).rows
        except QueryFailed as error:
            log.warning("where instances run is not known: %s", error)
            return
        self._known |= {(service, instance): (node, zone) for service, instance, node, zone in rows}
