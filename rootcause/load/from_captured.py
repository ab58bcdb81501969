"""Reads how much of what proxies saw has a span: missing spans make every other figure less sure.

In: an open Reader, the window in question. Out: by service the share (0..1) of its requests and calls that is stored,
as far as two of the mesh's own counts tell: the proxies' counters (`mesh_captured`), and how many calls each request
says that it made (`mesh.children`).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime

from collector.store.client import Reader
from collector.store.errors import QueryFailed
from rootcause.load.window import Window, calls

log = logging.getLogger(__name__)

SINCE_S, UNTIL_S = 90.0, 20.0
"""Counters come every ten seconds, and later than spans."""
_COUNTED = """
SELECT Destination, sum(Counted) AS Counted, sum(Captured) AS Captured FROM otel.mesh_captured
WHERE Bucket >= %(start)s AND Bucket < %(end)s GROUP BY Destination HAVING Counted > 0
"""


def captured(reader: Reader, observed: Window, now: float) -> Mapping[str, float]:
    """By service; of one that nobody counts nothing. Raises StoreUnavailable."""
    found = dict(made_and_recorded(observed))
    params = {
        "start": datetime.fromtimestamp(now - SINCE_S, UTC),
        "end": datetime.fromtimestamp(now - UNTIL_S, UTC),
    }
    try:
        rows = reader.table(_COUNTED, params).rows
    except QueryFailed as error:
        log.warning("how much of the traffic has spans is not known: %s", error)
        return found
    for service, counted, stored in rows:
        found[service] = min(found.get(service, 1.0), stored / counted)
    return found


def made_and_recorded(window: Window) -> Mapping[str, float]:
    """Calls that have a span of their caller's, of those that its requests say they made."""
    made: Counter[str] = Counter()
    for row in window.served:
        made[row.service] += row.made or 0
    recorded: Counter[str] = Counter()
    for called in window.called:
        if called.by_source:
            recorded[called.source] += calls(called.buckets)
    return {service: min(1.0, recorded[service] / many) for service, many in made.items() if many}
