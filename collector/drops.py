"""The one place where items and requests that are not stored are counted, and said in the log, by signal and cause.

In: a signal, a cause of a closed catalogue, how many, a sentence. Out: counters, and a log line a cause every few
seconds at most. Never: a drop that is logged without being counted, or the other way round.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter

log = logging.getLogger("whymesh.collector")

QUIET_S = 5.0

OF_REQUESTS = frozenset(
    {
        "malformed",
        "too_large",
        "too_slow",
        "unsupported",
        "unauthenticated",
        "over_quota",
        "overloaded",
        "log_full",
        "log_unwritable",
        "log_unreadable",
    }
)
OF_ITEMS = frozenset({"bad_trace_id", "bad_span_id", "bad_parent_span_id", "bad_time", "too_many_days", "unstorable"})
"""The catalogue of causes; docs/collector.md, "What is not taken"."""


class Drops:
    """Counters of what was refused or dropped."""

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], float] = time.monotonic) -> None:
        labels = ("signal", "cause")
        self._items = Counter(
            "whymesh_collector_dropped_items", "Spans, points and records not stored.", labels, registry=registry
        )
        self._requests = Counter(
            "whymesh_collector_refused_requests", "Requests answered with an error.", labels, registry=registry
        )
        self._repeated = Counter(
            "whymesh_collector_repeated_requests", "Requests taken before, answered as then.", registry=registry
        )
        self._redacted = Counter(
            "whymesh_collector_redacted_values", "Values changed or left out.", ("signal", "rule"), registry=registry
        )
        self._clock = clock
        self._said: dict[tuple[str, str], float] = {}

    def items(self, signal: str, cause: str, count: int, why: str) -> None:
        """`count` items of a request that was otherwise taken."""
        self._items.labels(signal, cause).inc(count)
        self._say(signal, cause, "dropped %d of %s (%s): %s", count, signal, cause, why)

    def request(self, signal: str, cause: str, why: str) -> None:
        """A whole request whose items nobody counted; its sender was told."""
        self._requests.labels(signal, cause).inc()
        self._say(signal, cause, "refused a request of %s (%s): %s", signal, cause, why)

    def repeated(self) -> None:
        """A batch that came again: it was taken the first time, and nothing of it is lost."""
        self._repeated.inc()

    def redacted(self, signal: str, counts: Mapping[str, int]) -> None:
        """Values that rules changed or left out, as they were told to."""
        for rule, count in counts.items():
            self._redacted.labels(signal, rule).inc(count)

    def _say(self, signal: str, cause: str, line: str, *parts: object) -> None:
        now = self._clock()
        if now - self._said.get((signal, cause), -QUIET_S) >= QUIET_S:
            self._said[signal, cause] = now
            log.warning(line, *parts)
