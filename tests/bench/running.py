"""A proxy that runs, as one process or several: where it answers, what it uses, what it has exported."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.bench.measure import cpu_s, rss_mb, tree

QUIET_S = 5.0


@dataclass(frozen=True)
class Running:
    """`spans` counts the spans it has exported, None when it traces nothing; `host` is the Host it expects."""

    roots: tuple[int, ...]
    port: int
    spans: Callable[[], int | None] = lambda: None
    host: str = ""

    def pids(self) -> list[int]:
        return [pid for root in self.roots for pid in tree(root)]

    def cpu_s(self) -> float:
        return cpu_s(self.pids())

    def rss_mb(self) -> float:
        return rss_mb(self.pids())

    def spans_a_request(self, requests: int) -> float | None:
        """Spans exported for each of `requests`, once there is one for each or no more come; None without tracing."""
        if self.spans() is None:
            return None
        seen, still_since = -1, time.monotonic()
        while seen < requests and time.monotonic() - still_since < QUIET_S:
            now = self.spans() or 0
            if now != seen:
                seen, still_since = now, time.monotonic()
            time.sleep(0.05)
        return seen / requests
