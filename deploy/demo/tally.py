"""Counts what the load generator saw.

In: one outcome a request. Out: totals since start, quantiles of the last seconds. Pure: the time is passed in.
"""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

WINDOW_S = 10.0


@dataclass
class Tally:
    """Each request is in one of in_flight, answered and not_sent; errors are those of `answered` that failed, and
    `failures` how: by the status that was answered, or by what came in place of an answer."""

    started: int = 0
    answered: int = 0
    errors: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    not_sent: int = 0  # the bound on requests in flight was reached: the shop is overloaded
    recent: deque[tuple[float, float, bool]] = field(default_factory=deque)  # (end, seconds, failed)

    @property
    def in_flight(self) -> int:
        """Sent and not yet answered."""
        return self.started - self.answered

    def end(self, now: float, seconds: float, failure: str = "") -> None:
        """One answer, or its `failure`, `seconds` after the moment it was due to be sent."""
        self.answered += 1
        if failure:
            self.errors += 1
            self.failures[failure] = self.failures.get(failure, 0) + 1
        self.recent.append((now, seconds, bool(failure)))

    def report(self, now: float) -> dict[str, Any]:
        """Totals since start; rate, error share and latencies in milliseconds of the last ten seconds."""
        while self.recent and self.recent[0][0] < now - WINDOW_S:
            self.recent.popleft()
        taken = sorted(seconds for _, seconds, _ in self.recent)
        failed = sum(failed for _, _, failed in self.recent)
        totals = {name: value for name, value in asdict(self).items() if name != "recent"}
        return totals | {
            "in_flight": self.in_flight,
            "rate": len(taken) / WINDOW_S,
            "error_share": failed / len(taken) if taken else 0.0,
            "p50_ms": _quantile(taken, 0.5) * 1000,
            "p95_ms": _quantile(taken, 0.95) * 1000,
        }


def _quantile(ordered: list[float], q: float) -> float:
    """The nearest-rank quantile of an ordered list, 0 for an empty one."""
    return ordered[min(int(q * len(ordered)), len(ordered) - 1)] if ordered else 0.0
