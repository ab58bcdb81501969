"""Judges a service or an edge by stated thresholds, the ones the legend prints."""

from dataclasses import dataclass
from enum import StrEnum

from dashboards import figures


class Health(StrEnum):
    """What the colour of a node says."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    FAILING = "failing"
    IDLE = "idle"


@dataclass(frozen=True)
class Thresholds:
    """At or above a value the state holds; errors are a share of the calls, p95 is in nanoseconds."""

    degraded_errors: float = 0.01
    failing_errors: float = 0.05
    degraded_p95: float = 1e9
    failing_p95: float = 3e9

    def legend(self) -> dict[Health, str]:
        """What each colour means, in words."""
        return {
            Health.HEALTHY: "below both limits",
            Health.DEGRADED: _limits(self.degraded_errors, self.degraded_p95) + " or suspect",
            Health.FAILING: _limits(self.failing_errors, self.failing_p95),
            Health.IDLE: "no calls in this window",
        }


THRESHOLDS = Thresholds()


def judge(calls: int, error_share: float, p95: float, limits: Thresholds = THRESHOLDS) -> Health:
    """The state of whatever answered `calls` calls; `p95` in nanoseconds, 0 to judge by errors alone."""
    if not calls:
        return Health.IDLE
    if error_share >= limits.failing_errors or p95 >= limits.failing_p95:
        return Health.FAILING
    if error_share >= limits.degraded_errors or p95 >= limits.degraded_p95:
        return Health.DEGRADED
    return Health.HEALTHY


def _limits(errors: float, p95: float) -> str:
    return f"errors ≥ {figures.share(errors)} or p95 ≥ {figures.duration(p95)}"
