"""A degraded entry point, in the units that users feel."""

from dataclasses import dataclass
from typing import Literal

Signal = Literal["latency", "errors", "saturation"]


@dataclass(frozen=True, slots=True)
class Symptom:
    """`baseline` and `observed` are mean milliseconds, a share of failed requests or one in use (0..1); `severity` is
    how much of what users get is affected: added time in parts of all time, or the share of requests that fail more
    than usual."""

    service: str
    route: str
    signal: Signal
    baseline: float
    observed: float
    severity: float
    strength: float
    """Deviations for latency, minus the log of the probability of chance for errors, 0 for saturation."""

    @property
    def unit(self) -> str:
        return {"latency": "ms", "errors": "share of requests", "saturation": "share in use"}[self.signal]
