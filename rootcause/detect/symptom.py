"""A degraded entry point, in the units that users feel."""

from dataclasses import dataclass
from typing import Literal

Signal = Literal["latency", "errors", "saturation", "throughput"]
UNITS = {"latency": "ms", "errors": "share", "saturation": "share", "throughput": "requests/s"}
"""Of the figures of a symptom; a share is 0..1."""


@dataclass(frozen=True, slots=True)
class Symptom:
    """`baseline` and `observed` are mean milliseconds, a share of failed requests or one in use (0..1), or requests a
    second; `severity` is how much of what users get is affected: added time in parts of all time, the share of requests
    that fail more than usual, or of those that do not come."""

    service: str
    route: str
    signal: Signal
    baseline: float
    observed: float
    severity: float
    strength: float
    """Deviations for latency, minus the log of the probability of chance for errors and throughput, else 0."""

    @property
    def unit(self) -> str:
        return UNITS[self.signal]
