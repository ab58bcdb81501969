"""Sends what the engine counted to the collector every ten seconds, so that what it stored can be held against it.

In: `Engine.stats()`, read as each ten seconds of the clock end. Out: OTLP metrics, one point an edge and interval, as
deltas; an interval that was not taken is sent again, unchanged and under its own batch id, until it is. Never: two
intervals in one, or more of them kept than an hour's.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from proxy.plain_http import asked

log = logging.getLogger("whymesh.proxy")

INTERVAL_S = 10
METRIC = "mesh.requests"
_KEPT = 3_600 // INTERVAL_S
_TIMEOUT_S = 5.0
_LATER = frozenset({429, 502, 503, 504})

Edge = tuple[str, str, str]
"""The service and instance that counted, and who called it."""


class Counts:
    """Counts since the last interval; `now` is in whole seconds since 1970, `resource` of an instance."""

    def __init__(self, resource: Callable[[str], Mapping[str, str]] = lambda instance: {}) -> None:
        self._resource = resource
        self._before: dict[Edge, int] = {}
        self._began = 0

    def interval(self, stats: Mapping[str, Any], now: int) -> str:
        """The interval that ends now as an OTLP/JSON body; empty when nothing came.

        Inbound requests only: each of them is one server span, whatever became of it.
        """
        counted: dict[Edge, int] = {}
        for one in stats["requests"]:
            if one["direction"] == "inbound":
                edge = (one["service"], one["instance"], one["peer"])
                counted[edge] = counted.get(edge, 0) + one["count"]
        grown = {edge: count - self._before.get(edge, 0) for edge, count in counted.items()}
        began, self._before, self._began = self._began, counted, now
        points = {edge: count for edge, count in grown.items() if count}
        return self._body(points, began or now - INTERVAL_S, now) if points else ""

    def _body(self, points: Mapping[Edge, int], began: int, ended: int) -> str:
        of: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for (service, instance, peer), count in points.items():
            attributes = {"mesh.source.service": peer, "mesh.destination.service": service}
            point = {
                "attributes": _attributes(attributes),
                "startTimeUnixNano": str(began * 1_000_000_000),
                "timeUnixNano": str(ended * 1_000_000_000),
                "asInt": str(count),
            }
            of.setdefault((service, instance), []).append(point)
        resources = []
        for (service, instance), some in of.items():
            counted = {"service.name": service, "service.instance.id": instance}
            whose = _attributes({**counted, **self._resource(instance), **counted})
            scoped = {"scope": {"name": "whymesh.proxy"}, "metrics": [_metric(some)]}
            resources.append({"resource": {"attributes": whose}, "scopeMetrics": [scoped]})
        return json.dumps({"resourceMetrics": resources})


class Reports:
    """Intervals on their way to one collector."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[str, str]] = deque(maxlen=_KEPT)

    def add(self, body: str) -> None:
        self._waiting.append((os.urandom(16).hex(), body))

    def send(self, url: str) -> None:
        """Sends what waits, oldest first, up to the first that is not taken."""
        target = urlsplit(url)
        while self._waiting:
            batch, body = self._waiting[0]
            try:
                host, port = target.hostname or "", target.port or 80
                headers = {"x-whymesh-batch": batch}
                with asked("POST", host, port, "/v1/metrics", _TIMEOUT_S, body, headers) as (status, _):
                    pass
            except OSError:
                return
            if status in _LATER:
                return
            if status != 200:
                log.warning("the collector at %s refuses counts: it answered %d", url, status)
            self._waiting.popleft()


def report_counts(
    stats: Callable[[], str | None],
    endpoint: Callable[[], str],
    resource: Callable[[str], Mapping[str, str]],
    stop: threading.Event,
) -> None:
    """Until stopped, and once more then; `endpoint` is the collector's OTLP/HTTP traces URL, empty for none."""
    counts, reports = Counts(resource), Reports()
    while not stop.is_set():
        stop.wait(INTERVAL_S - time.time() % INTERVAL_S)
        found, url = stats(), endpoint()
        if found is None or not url:
            continue
        body = counts.interval(json.loads(found), round(time.time()))
        if body:
            reports.add(body)
        reports.send(url)


def _metric(points: list[dict[str, Any]]) -> dict[str, Any]:
    total = {"aggregationTemporality": 1, "isMonotonic": True, "dataPoints": points}
    return {"name": METRIC, "unit": "{request}", "description": "Requests a proxy received.", "sum": total}


def _attributes(values: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in values.items()]
