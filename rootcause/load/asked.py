"""Says which single requests of a service are looked at, and writes that as a condition of SQL.

In: a service, as far down as it is narrowed down, a stretch of time. Out: a condition on spans that proxies recorded.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil

from collector.store.quoting import literal
from rootcause.load.window import Interval

ENOUGH = 3_000
"""So many requests tell when something began and what is common to them; of more, some are taken."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Requests that the service received: by its proxies or, when its links are at fault, as its `callers` saw them;
    empty names are any. Of one trace in `each`, by a hash of its id. `entries` are services that requests enter by."""

    service: str
    interval: Interval
    callers: tuple[str, ...] = ()
    version: str = ""
    instance: str = ""
    route: str = ""
    each: int = 1
    entries: tuple[str, ...] = ()

    @property
    def recorders(self) -> tuple[str, ...]:
        """Services whose proxies recorded them."""
        return self.callers or (self.service,)

    @property
    def condition(self) -> str:
        """On rows of `otel_traces`."""
        narrowed = (("service", self.service), ("version", self.version), ("instance", self.instance))
        parts = [
            self.condition_of(self.recorders),
            f"SpanKind = '{'Client' if self.callers else 'Server'}'",
            *(f"SpanAttributes['mesh.destination.{name}'] = {literal(value)}" for name, value in narrowed if value),
            *([f"SpanAttributes['mesh.route'] = {literal(self.route)}"] if self.route else []),
        ]
        return " AND ".join(parts)

    def condition_of(self, services: tuple[str, ...]) -> str:
        """On spans of these services in the same time and traces, whatever they are of."""
        names = ", ".join(map(literal, services))
        sampled = f" AND modulo(cityHash64(TraceId), {self.each}) = 0" if self.each > 1 else ""
        return (
            f"ServiceName IN ({names}) AND Timestamp >= {_moment(self.interval.start)}"
            f" AND Timestamp < {_moment(self.interval.end)}{sampled}"
        )


def each_of(requests: float) -> int:
    """Of so many requests, which part is enough: one in this many."""
    return max(1, ceil(requests / ENOUGH))


def _moment(time: float) -> str:
    return f"toDateTime64('{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M:%S.%f}', 6, 'UTC')"
