"""Reads on which machine each instance runs, from what its proxy counts.

In: an open Reader, the window in question. Out: nodes by service and instance, as far as they are known. What was read
of an instance is kept, for it runs where it runs.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime

from collector.store.client import Reader
from collector.store.errors import QueryFailed
from rootcause.load.first_told import INSTANCE, NODE
from rootcause.load.window import Window

log = logging.getLogger(__name__)

SINCE_S = 120.0
"""Counters come every ten seconds while there are requests."""
_NODES = f"""
SELECT ServiceName, {INSTANCE} AS Instance, {NODE} AS Node FROM otel.otel_metrics_sum
WHERE MetricName = 'mesh.requests' AND ServiceName IN %(services)s AND TimeUnix >= %(start)s AND TimeUnix < %(end)s
    AND Node != ''
GROUP BY ServiceName, Instance, Node ORDER BY max(TimeUnix)
"""

Instance = tuple[str, str]
"""A service's name and its own."""


class Nodes:
    """What is known of instances so far."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._known: dict[Instance, str] = {}

    def look(self, observed: Window, now: float) -> Mapping[Instance, str]:
        """Of the instances that served. Raises StoreUnavailable."""
        seen = {(row.service, row.instance) for row in observed.served if row.instance}
        self._known = {instance: node for instance, node in self._known.items() if instance in seen}
        unknown = sorted({service for service, _ in seen - self._known.keys()})
        if unknown:
            self._read(unknown, now)
        return {instance: self._known[instance] for instance in seen & self._known.keys()}

    def _read(self, services: list[str], now: float) -> None:
        start, end = (datetime.fromtimestamp(at, UTC) for at in (now - SINCE_S, now))
        try:
            rows = self._reader.table(_NODES, {"services": services, "start": start, "end": end}).rows
        except QueryFailed as error:
            log.warning("where instances run is not known: %s", error)
            return
        self._known |= {(service, instance): node for service, instance, node in rows}
