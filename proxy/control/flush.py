"""Traces that every proxy should send what it keeps of: flagged by one proxy or ordered by an operator, told to all.

In: trace ids. Out: the same ids in order, from any point on. Never: more than a bounded number; a proxy that was away
for longer than that has forgotten the records, too.
"""

from __future__ import annotations

from collections import deque
from itertools import islice

KEPT = 20_000
AT_ONCE = 1_000
"""Trace ids of one message, in either direction."""


class FlushOrders:
    """The last orders, numbered as they came."""

    def __init__(self) -> None:
        self._traces: deque[str] = deque(maxlen=KEPT)
        self._known: set[str] = set()
        self.last = 0
        """The number of the newest order."""

    def add(self, traces: list[str]) -> bool:
        """Takes new orders; false when every trace was ordered before."""
        fresh = [trace for trace in dict.fromkeys(traces) if trace not in self._known]
        for trace in fresh:
            if len(self._traces) == KEPT:
                self._known.discard(self._traces[0])
            self._traces.append(trace)
            self._known.add(trace)
        self.last += len(fresh)
        return bool(fresh)

    def after(self, number: int) -> tuple[int, list[str]]:
        """The next orders after this number, and the number of the last of them."""
        first = max(number, self.last - len(self._traces))
        start = len(self._traces) - (self.last - first)
        traces = list(islice(self._traces, start, start + AT_ONCE))
        return first + len(traces), traces
